"""The form: from which record, to which record, and why."""

import secrets
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from associations.form_fields import ReasonField, validation_error
from associations.gateway.object_types import TypeChoices, standard_choices
from associations.hubspot.object_types import label_of
from associations.hubspot.record_references import SIDES, Pair, PairReason, Problem, read_pair
from associations.models import AssociationRequest

_OF_A_SIDE: dict[str, dict[str, Any]] = {
    PairReason.NO_TYPE: {
        "from": _("Choose the type of the first record."),
        "to": _("Choose the type of the second record."),
    },
    PairReason.REQUIRED: {
        "from": _("Enter the id of the first record."),
        "to": _("Enter the id of the second record."),
    },
}


def fields_of(entry: AssociationRequest, first: str = "from", second: str = "to") -> dict[str, str]:
    """Return what an entry has in the form's fields; or its sides exchanged, if told so."""
    return {
        "from_object_type": _name_of(getattr(entry, f"{first}_object_type")),
        "from_object_id": getattr(entry, f"{first}_object_id"),
        "to_object_type": _name_of(getattr(entry, f"{second}_object_type")),
        "to_object_id": getattr(entry, f"{second}_object_id"),
        "reason": entry.reason,
    }


def _name_of(object_type: str) -> str:
    """A name that the form knows in whatever language; a custom object's label may be another's."""
    return gettext(label_of(object_type))


def _id_field() -> forms.CharField:
    return forms.CharField(
        label=_("Record id"), help_text=_("Its id, or paste the record's address from HubSpot.")
    )


class AssociationForm(forms.Form):
    """Two records, each by its type and id, and a reason. An id field may say the type, too.

    `types` are those on offer, HubSpot's own if none are given; `portal_id` and `ui_hosts` say
    whose addresses are taken, as read_reference() has it.
    """

    from_object_type = forms.CharField(label=_("Type"), required=False)
    from_object_id = _id_field()
    to_object_type = forms.CharField(label=_("Type"), required=False)
    to_object_id = _id_field()

    reason = ReasonField(help_text=_("For the audit log, such as a ticket number."))
    submit_token = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    TYPED_FIELDS = (
        "from_object_type",
        "from_object_id",
        "to_object_type",
        "to_object_id",
        "reason",
    )

    def __init__(
        self,
        data: Any = None,
        *,
        initial: dict[str, Any] | None = None,
        types: TypeChoices | None = None,
        portal_id: str = "",
        ui_hosts: Collection[str] = (),
    ) -> None:
        super().__init__(data, initial=initial)
        self.types = standard_choices() if types is None else types
        self._portal_id, self._ui_hosts = portal_id, ui_hosts
        for side in SIDES:
            self.fields[f"{side}_object_type"].widget.attrs["list"] = "object-types"
            id_field = self.fields[f"{side}_object_id"]
            id_field.widget.attrs |= {"autocapitalize": "off", "spellcheck": "false"}
            id_field.error_messages["required"] = _OF_A_SIDE[PairReason.REQUIRED][side]
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
        names = [f"{side}_object_{part}" for side in SIDES for part in ("type", "id")]
        values = {name: self[name].value() or "" for name in names}
        return read_pair(
            values,
            resolve=self.types.resolve,
            portal_id=self._portal_id,
            ui_hosts=self._ui_hosts,
        )

    def filled(self) -> dict[str, dict[str, str]]:
        """Return, for each side whose id field says the type as well, what its two fields mean.

        A side looks like `{"typed": "deal #77", "object_type": "Deal", "object_id": "77"}`.
        What was pasted goes before a type that stood there: it shows at once, and sends nothing.
        """
        return {
            name: {
                "typed": self[f"{name}_object_id"].value(),
                "object_type": self.types.label_of(side.object_type.canonical),
                "object_id": side.object_id,
            }
            for name, side in self.pair.by_side.items()
            if side.names_type and side.object_type
        }

    def clean(self) -> dict[str, Any] | None:
        for problem in self.pair.problems:
            if problem.field not in self.errors:
                self._add(problem)
        for name, side in self.pair.by_side.items():
            self.cleaned_data |= {
                f"{name}_object_type": side.object_type,
                f"{name}_object_id": side.object_id,
            }
        return self.cleaned_data

    def _add(self, problem: Problem) -> None:
        side, facts = problem.field.partition("_")[0], dict(problem.facts)
        if problem.code == PairReason.TWO_TYPES:
            facts = {name: self.types.label_of(str(type_)) for name, type_ in facts.items()}
        sentence = _OF_A_SIDE.get(problem.code, {}).get(side)
        self.add_error(problem.field, validation_error(problem.code, sentence, **facts))

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
