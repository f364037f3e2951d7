"""The words of this project as form fields."""

from collections.abc import Collection
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from associations.hubspot.object_types import ObjectType, UnknownObjectTypeError
from associations.hubspot.record_references import (
    Reason,
    RecordIdError,
    RecordReference,
    read_record_id,
    read_reference,
)
from associations.texts.object_types import TypeChoices, standard_choices

SENTENCES = {
    Reason.NOT_DIGITS: _(
        "A record id has digits only, such as 501. It is the number at the end of the record's "
        "address in HubSpot."
    ),
    Reason.NOT_PLAIN_DIGITS: _("Write the id with the plain digits 0 to 9."),
    Reason.ZERO: _("No record has the id 0."),
    Reason.LEADING_ZERO: _("A record id does not start with 0. Leave the zeros at the front out."),
    Reason.TOO_LONG: _("A record id has at most 20 digits; this one has %(length)s."),
    Reason.NOT_HUBSPOT: _(
        "This is not the address of a record in HubSpot. Those begin like "
        "https://app.hubspot.com/contacts/."
    ),
    Reason.LIST_PAGE: _("This is the address of a list. Open the record and copy its own address."),
    Reason.NOT_A_RECORD: _(
        "This address is not that of a record. Those go on like …/contacts/4242/record/0-1/501, or "
        "end like …/contact/501 for a contact, company, deal or ticket."
    ),
    Reason.ALTERED: _(
        "This address has characters that a record's address does not have. Open the record in "
        "HubSpot and copy its address from there."
    ),
    Reason.MORE_THAN_ADDRESS: _(
        "There is a space in this address, or more than an address. Paste the record's address "
        "alone."
    ),
    Reason.TWO_RECORDS: _(
        "This address names more than one record. Enter the id of the one meant."
    ),
    Reason.ANOTHER_PORTAL: _(
        "This record is in the HubSpot account %(portal)s, but records are linked in the account "
        "%(expected)s here. Copy the address from there."
    ),
    Reason.UNKNOWN_TYPE: _(
        "No object type called “%(text)s” is known here. Choose one from the list, such as "
        "Contact or Company; a custom object goes by its id, such as 2-4001."
    ),
    Reason.AMBIGUOUS_TYPE: _(
        "Several object types are called “%(text)s” here. Write which one: %(choices)s."
    ),
    Reason.NO_ID: _("“%(text)s” is a type. Enter the record's id, too, such as Contact 501."),
}


class ObjectTypeField(forms.CharField):
    """Any name of an object type; cleans to its ObjectType, None if nothing was written."""

    types: TypeChoices | None = None  # HubSpot's own unless the form says which

    def clean(self, value: Any) -> ObjectType | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return (self.types or standard_choices()).resolve(text)
        except UnknownObjectTypeError as error:
            reason = Reason.AMBIGUOUS_TYPE if error.candidates else Reason.UNKNOWN_TYPE
            raise told(reason, text=text, choices=", ".join(error.candidates)) from None


class RecordIdField(forms.CharField):
    """A record's id; cleans to 1 to 20 digits without leading zeros, or to nothing."""

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        try:
            return read_record_id(text) if text else ""
        except RecordIdError as error:
            raise told(error.reason, **error.facts) from None


class RecordField(forms.CharField):
    """A record's id, perhaps with its type, or its address; cleans to a RecordReference or None."""

    types: TypeChoices | None = None  # HubSpot's own unless the form says which
    portal_id: str = ""
    ui_hosts: Collection[str] = ()

    def clean(self, value: Any) -> RecordReference | None:
        text = super().clean(value)
        return self._read(text) if text else None

    def _read(self, text: str) -> RecordReference:
        try:
            return read_reference(
                text,
                resolve=(self.types or standard_choices()).resolve,
                portal_id=self.portal_id,
                ui_hosts=self.ui_hosts,
            )
        except RecordIdError as error:
            raise told(error.reason, **error.facts) from None


def told(reason: Reason, **facts: str | int) -> ValidationError:
    """Return the error that tells a reason in a sentence."""
    if "text" in facts:
        facts["text"] = _shortened(str(facts["text"]))
    return ValidationError(SENTENCES[reason], code=reason.value, params=facts)


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
