"""The part of a form that says which two records are meant."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from associations.form_fields import ObjectTypeField, RecordField, told
from associations.hubspot.object_types import ObjectType
from associations.hubspot.record_references import OF_THE_DIGITS, Reason, RecordReference
from associations.texts.object_types import TypeChoices, standard_choices

SIDES = ("from", "to")
MAX_ADDRESS = 2000
_NO_TYPE = {
    "from": _("Choose the type of the first record."),
    "to": _("Choose the type of the second record."),
}
_TWO_TYPES = _(
    "The record id names the type %(read)s, but the type here is %(chosen)s. Leave one of them."
)


@dataclass(frozen=True, slots=True)
class Side:
    """What could be read of one of the two records: None or empty where nothing could."""

    object_type: ObjectType | None
    object_id: str


def _id_field(required: Any) -> RecordField:
    too_long = _("Keep the address to %(limit_value)s characters; this has %(show_value)s.")
    return RecordField(
        label=_("Record id"),
        max_length=MAX_ADDRESS,
        help_text=_("Its id, or paste the record's address from HubSpot."),
        error_messages={"required": required, "max_length": too_long},
    )


class TwoRecordsForm(forms.Form):
    """Two records, each by its type and id. An id field may say the type, too.

    `types` are those on offer, HubSpot's own if none are given; `portal_id` and `ui_hosts` say
    whose addresses are taken, as read_reference() has it.
    """

    from_object_type = ObjectTypeField(label=_("Type"), required=False)
    from_object_id = _id_field(_("Enter the id of the first record."))
    to_object_type = ObjectTypeField(label=_("Type"), required=False)
    to_object_id = _id_field(_("Enter the id of the second record."))

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
        for side in SIDES:
            self._prepare(side, portal_id, ui_hosts)

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        self._check_portals(data.get("from_object_id"), data.get("to_object_id"))
        for side in SIDES:
            self._settle(side, data.get(f"{side}_object_id"))
        self._check_not_itself()
        return data

    def sides(self) -> dict[str, Side]:
        """Return what could be read of "from" and "to", whether or not the form is valid."""
        return {side: self._side(side) for side in SIDES}

    def filled(self) -> dict[str, dict[str, str]]:
        """Return, for each side whose id field says the type as well, what its two fields mean.

        A side looks like `{"typed": "deal #77", "object_type": "Deal", "object_id": "77"}`.
        What was pasted goes before a type that stood there: it shows at once, and sends nothing.
        """
        return {side: filled for side in SIDES if (filled := self._filled(side))}

    def _prepare(self, side: str, portal_id: str, ui_hosts: Collection[str]) -> None:
        type_field = self.fields[f"{side}_object_type"]
        id_field = self.fields[f"{side}_object_id"]
        type_field.types = id_field.types = self.types
        id_field.portal_id, id_field.ui_hosts = portal_id, ui_hosts
        type_field.widget.attrs["list"] = "object-types"
        id_field.widget.attrs |= {
            "autocapitalize": "off",
            "spellcheck": "false",
        }
        del id_field.widget.attrs["maxlength"]  # the browser would cut an address without a word

    def _side(self, side: str) -> Side:
        reference, chosen = (self._understood(f"{side}_object_{part}") for part in ("id", "type"))
        read = reference.object_type if reference else None
        return Side(read or chosen, reference.object_id if reference else "")

    def _filled(self, side: str) -> dict[str, str]:
        name = f"{side}_object_id"
        reference = self._understood(name)
        if not reference or not reference.object_type:
            return {}
        label = self.types.label_of(reference.object_type.canonical)
        typed = self[name].value()
        return {"typed": typed, "object_type": label, "object_id": reference.object_id}

    def _understood(self, name: str) -> Any:
        """What the field alone cleans to; None where it does not."""
        try:
            return self.fields[name].clean(self[name].value())
        except ValidationError:
            return None

    def _check_portals(self, *references: RecordReference | None) -> None:
        """Records of two portals are no pair, even where the own portal is not known."""
        portals = [each.portal_id for each in references if each and each.portal_id]
        if len(set(portals)) > 1:
            facts = dict(zip(("expected", "portal"), portals, strict=True))
            self.add_error("to_object_id", told(Reason.ANOTHER_PORTAL, **facts))

    def _settle(self, side: str, reference: RecordReference | None) -> None:
        """Let the type come from either of the two fields, and the id be digits."""
        type_name, id_name = f"{side}_object_type", f"{side}_object_id"
        if reference:
            self.cleaned_data[id_name] = reference.object_id
        if type_name in self.errors:
            return
        chosen, read = self.cleaned_data[type_name], reference and reference.object_type
        if chosen and read and chosen.canonical != read.canonical:
            self.add_error(type_name, self._two_types(chosen, read))
        elif chosen or read:
            self.cleaned_data[type_name] = chosen or read
        elif not self._could_have_said_its_type(id_name):
            self.add_error(type_name, _NO_TYPE[side])

    def _two_types(self, chosen: ObjectType, read: ObjectType) -> ValidationError:
        names = {
            "chosen": self.types.label_of(chosen.canonical),
            "read": self.types.label_of(read.canonical),
        }
        return ValidationError(_TWO_TYPES, code="two_types", params=names)

    def _could_have_said_its_type(self, id_name: str) -> bool:
        """Whether more than an id was written, but not so that it could be taken."""
        codes = {error.code for error in self.errors.as_data().get(id_name, ())}
        return bool(codes - OF_THE_DIGITS - {"required"})

    def _check_not_itself(self) -> None:
        one, other = (
            (
                self.cleaned_data.get(f"{side}_object_type"),
                self.cleaned_data.get(f"{side}_object_id"),
            )
            for side in SIDES
        )
        if all(one) and one == other:
            message = _("A record cannot be linked to itself. Enter another record here.")
            self.add_error("to_object_id", message)


class AssociationForm(TwoRecordsForm):
    """From which record, to which record, and why."""

    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=500,
        help_text=_("For the audit log, such as a ticket number."),
        error_messages={
            "max_length": _("Keep the reason to 500 characters; this has %(show_value)s.")
        },
    )
    submit_token = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    TYPED_FIELDS = (
        "from_object_type",
        "from_object_id",
        "to_object_type",
        "to_object_id",
        "reason",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The browser would cut what is too long without a word.
        del self.fields["reason"].widget.attrs["maxlength"]
        # After a reload some browsers fill in what a field had before; here that were an old token.
        self.fields["submit_token"].widget.attrs["autocomplete"] = "off"

    @classmethod
    def prefilled(
        cls, query: QueryDict, submit_token: str = "", **options: Any
    ) -> "AssociationForm":
        """Return a form filled in but neither checked nor sent, with a one-time token."""
        initial = {name: query[name] for name in cls.TYPED_FIELDS if name in query}
        initial["submit_token"] = submit_token or secrets.token_urlsafe(24)
        return cls(initial=initial, **options)

    def clean_reason(self) -> str:
        return " ".join(self.cleaned_data["reason"].split())

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
