"""The form: from which record, to which record, and why."""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from html import escape
from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from associations.finding.finder import Found
from associations.finding.texts import WHICH_RECORD, sentence_of
from associations.form_fields import ReasonField, validation_error
from associations.gateway.object_types import TypeChoice, TypeChoices, standard_choices
from associations.hubspot.object_types import ObjectType, UnknownObjectTypeError, label_of
from associations.hubspot.record_references import (
    SIDES,
    Pair,
    PairReason,
    Problem,
    Side,
    read_pair,
)
from associations.hubspot.unseen import bare
from associations.linking.further import FurtherField, read_further
from associations.models import AssociationRequest

NAMED = "named"  # the pair that the button named, as `contacts/501 companies/902`
_OF_THE_FORM: dict[str, Any] = {
    PairReason.NO_TYPE: _("Choose the record's type."),
    PairReason.REQUIRED: WHICH_RECORD,
}


def fields_of(entry: AssociationRequest) -> dict[str, str]:
    """Return what an entry has in the form's fields."""
    return {
        "from_object_type": _name_of(entry.from_object_type),
        "from_object_id": entry.from_object_id,
        "to_object_type": _name_of(entry.to_object_type),
        "to_object_id": entry.to_object_id,
        "reason": entry.reason,
    }


def _name_of(object_type: str) -> str:
    """A name that the form knows in whatever language; a custom object's label may be another's."""
    return gettext(label_of(object_type))


class TypeSelect(forms.Select):
    """The types on offer, whatever name of one is given; another text stays, to be seen."""

    def __init__(self) -> None:
        super().__init__()
        self.types = standard_choices()
        self._offered: list[TypeChoice] = []

    def offer(self, types: TypeChoices, offered: Iterable[TypeChoice]) -> None:
        """Let people choose among these, in this order, or not at all."""
        self.types, self._offered = types, list(offered)

    def format_value(self, value: Any) -> list[str]:
        return [self._known(text) for text in super().format_value(value)]

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """As Django's, which fills in two templates for each of some thirty types."""
        (chosen,) = self.format_value(value)
        named = {"": gettext("any type")}
        named |= {each.object_type.canonical: each.label for each in self._offered}
        options = [_offered_option(code, label, code == chosen) for code, label in named.items()]
        if chosen not in named:
            options.append(_option(chosen, self.types.label_of(chosen), True))
        own = flatatt(self.build_attrs(self.attrs, attrs))
        return SafeString(f'<select name="{escape(name)}"{own}>{"".join(options)}\n</select>')

    def _known(self, text: str) -> str:
        try:
            return self.types.resolve(bare(text)).canonical
        except UnknownObjectTypeError:
            return text


def _option(value: str, label: str, is_chosen: bool) -> str:
    chosen = " selected" if is_chosen else ""
    return f'\n  <option value="{escape(value)}"{chosen}>{escape(label)}</option>'


# Each page has each type twice, and they are everybody's; what somebody typed is not kept.
_offered_option = lru_cache(maxsize=1024)(_option)


def _type_field(label: Any) -> forms.CharField:
    return forms.CharField(label=label, required=False, widget=TypeSelect)


def _id_field(label: Any) -> forms.CharField:
    help_text = _("Name, e-mail, domain, id, or paste the address from HubSpot.")
    return forms.CharField(label=label, help_text=help_text, required=False)


class AssociationForm(forms.Form):
    """Two records and a reason. A side's box names its record, its type may narrow that.

    `types` are those there are, HubSpot's own if none are given, `offered` the same in the order
    for a person; `portal_id` and `ui_hosts` say whose addresses are taken, as read_reference() has
    it. `found` has, by side, why the finder knew no one record by what was posted. Where the form
    only `is_looked_up`, nobody has sent it yet: it may be empty, and a choice that is due is no
    error.
    """

    from_object_type = _type_field(_("This record: type"))
    from_object_id = _id_field(pgettext_lazy("the record that belongs to another", "This record"))
    to_object_type = _type_field(_("belongs to: type"))
    to_object_id = _id_field(pgettext_lazy("the record that another belongs to", "belongs to"))

    also = FurtherField()
    reason = ReasonField(help_text=_("For the audit log, such as a ticket number."))
    submit_token = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    TYPED_FIELDS = (
        "from_object_type",
        "from_object_id",
        "to_object_type",
        "to_object_id",
        "also",
        "reason",
    )

    def __init__(
        self,
        data: Any = None,
        *,
        initial: dict[str, Any] | None = None,
        types: TypeChoices | None = None,
        offered: Iterable[TypeChoice] | None = None,
        portal_id: str = "",
        ui_hosts: Collection[str] = (),
        found: Mapping[str, Found] | None = None,
        is_looked_up: bool = False,
    ) -> None:
        super().__init__(data, initial=initial)
        self.types = standard_choices() if types is None else types
        self.offered = list(offered or self.types)
        self.portal_id, self.ui_hosts = portal_id, tuple(ui_hosts)
        self._found, self._is_looked_up = found or {}, is_looked_up
        for side in SIDES:
            type_field, id_field = (
                self.fields[f"{side}_object_type"],
                self.fields[f"{side}_object_id"],
            )
            type_field.widget.offer(self.types, self.offered)
            type_field.widget.attrs["aria-label"] = type_field.label
            plain = {"autocapitalize": "off", "spellcheck": "false", "aria-required": "true"}
            id_field.widget.attrs |= plain
        # After a reload some browsers fill in what a field had before; here that were an old token.
        self.fields["submit_token"].widget.attrs["autocomplete"] = "off"

    @classmethod
    def prefilled(
        cls, query: Mapping[str, Any], submit_token: str = "", **options: Any
    ) -> "AssociationForm":
        """Return a form filled in but neither checked nor sent, with a one-time token."""
        initial = {name: query[name] for name in cls.TYPED_FIELDS if name in query}
        initial["submit_token"] = submit_token or secrets.token_urlsafe(24)
        return cls(initial=initial, **options)

    @cached_property
    def pair(self) -> Pair:
        """What could be read of the two records, whether or not the form was sent."""
        types = {name: self[name].value() or "" for name in map("{}_object_type".format, SIDES)}
        ids = {f"{side}_object_id": self.text_of(side) for side in SIDES}
        return read_pair(
            types | ids,
            resolve=self.types.resolve,
            portal_id=self.portal_id,
            ui_hosts=self.ui_hosts,
        )

    @cached_property
    def further(self) -> list[Side]:
        """What could be read of the further records, likewise."""
        try:
            lines = self.fields["also"].clean(self["also"].value())
        except forms.ValidationError:
            return []
        return self._read_further(lines)[0]

    def text_of(self, side: str) -> str:
        """Return what stands in a box, or which record was chosen of those found for just that."""
        text: str = self[f"{side}_object_id"].value() or ""
        if self.data.get(f"{side}_choice") and self.data.get(f"{side}_choice_of") == text:
            return str(self.data[f"{side}_choice"])
        return text

    def chosen_type(self, side: str) -> ObjectType | None:
        """Return the type that stands beside a box; None for any, and for what is none."""
        try:
            return self.types.resolve(bare(self[f"{side}_object_type"].value() or ""))
        except UnknownObjectTypeError:
            return None

    def focus_first_empty(self) -> None:
        """Have the first box that is empty take the focus when the page comes."""
        for side in SIDES:
            if not self.text_of(side):
                self.fields[f"{side}_object_id"].widget.attrs["autofocus"] = True
                return

    def clean(self) -> dict[str, Any] | None:
        for problem in self.pair.problems:
            if problem.field not in self.errors and not self._is_answered(problem):
                self._add(problem)
        for name, found in self._found.items():
            if not self._is_looked_up:
                why = forms.ValidationError(sentence_of(found), code=str(found.why))
                self.add_error(f"{name}_object_id", why)
        self._clean_further()
        for name, side in self.pair.by_side.items():
            self.cleaned_data |= {
                f"{name}_object_type": side.object_type,
                f"{name}_object_id": side.object_id,
            }
        return self.cleaned_data

    def _is_answered(self, problem: Problem) -> bool:
        """Whether something else is said of it: by the finder, or that there is nothing at all."""
        side = problem.field.partition("_")[0]
        is_empty = not bare(self.text_of(side))
        if problem.code == PairReason.NO_TYPE and is_empty:
            return True
        return side in self._found or (is_empty and self._is_looked_up)

    def _add(self, problem: Problem) -> None:
        facts = dict(problem.facts)
        if problem.code == PairReason.TWO_TYPES:
            facts = {name: self.types.label_of(str(type_)) for name, type_ in facts.items()}
        sentence = _OF_THE_FORM.get(problem.code)
        self.add_error(problem.field, validation_error(problem.code, sentence, **facts))

    def _clean_further(self) -> None:
        sides, errors = self._read_further(self.cleaned_data.get("also", []))
        self.cleaned_data["also"] = sides
        if errors:
            self.add_error("also", errors)

    def _read_further(self, lines: Sequence[str]) -> tuple[list[Side], list[forms.ValidationError]]:
        return read_further(
            self.pair,
            lines,
            resolve=self.types.resolve,
            portal_id=self.portal_id,
            ui_hosts=self.ui_hosts,
        )

    def is_as_named(self) -> bool:
        """Return whether it is the pair that the button named, if it did; the form must be valid.

        Without script it goes on naming that one, whatever is typed meanwhile.
        """
        named = self.data.get(NAMED)
        sent = self.association()
        pair = " ".join(
            f"{sent[f'{side}_object_type']}/{sent[f'{side}_object_id']}" for side in SIDES
        )
        return not named or (named == pair and not self.cleaned_data["also"])

    def association(self) -> dict[str, str]:
        """Return what services.create_association() asks for; the form must be valid."""
        data = self.cleaned_data
        return {
            "from_object_type": data["from_object_type"].canonical,
            "from_object_id": data["from_object_id"],
            "to_object_type": data["to_object_type"].canonical,
            "to_object_id": data["to_object_id"],
            "reason": data["reason"],
            "submit_token": data["submit_token"],
        }

    def associations(self) -> list[dict[str, str]]:
        """Return the same of each pair: the first, and one for each further record."""
        first = self.association()
        return [first, *(first | _second(side) for side in self.cleaned_data["also"])]


def _second(side: Side) -> dict[str, str]:
    object_type = side.object_type.canonical if side.object_type else ""
    return {"to_object_type": object_type, "to_object_id": side.object_id}
