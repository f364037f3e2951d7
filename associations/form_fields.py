"""The words of this project as form fields."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from associations.gateway.object_types import TypeChoices, standard_choices
from associations.hubspot.object_types import ObjectType, UnknownObjectTypeError
from associations.hubspot.record_references import (
    PairReason,
    Reason,
    RecordIdError,
    read_record_id,
)

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
PAIR_SENTENCES = {
    PairReason.ROUNDED: _(
        "“%(text)s” is a number that a spreadsheet has rounded: digits of the id are lost. Format "
        "the column as text, and paste the ids into it anew."
    ),
    PairReason.IN_GROUPS: _(
        "“%(text)s” has something between its digits. Write one id in each cell, with digits only."
    ),
    PairReason.DECIMAL: _("“%(text)s” has a decimal part. A record id has digits only."),
    PairReason.ADDRESS_TOO_LONG: _(
        "Keep the address to %(limit)s characters; this has %(length)s."
    ),
    PairReason.TWO_TYPES: _(
        "The record id names the type %(read)s, but the type here is %(chosen)s. Leave one of them."
    ),
    PairReason.ITSELF: _("A record cannot be linked to itself. Enter another record here."),
}


class ObjectTypeField(forms.CharField):
    """Any name of an object type; cleans to its ObjectType, None if nothing was written."""

    types: TypeChoices | None = None  # HubSpot's own unless the form says which

    def offer(self, types: TypeChoices) -> None:
        """Understand these types, and suggest them while somebody types."""
        self.types = types
        self.widget.attrs["list"] = "object-types"

    def clean(self, value: Any) -> ObjectType | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return (self.types or standard_choices()).resolve(text)
        except UnknownObjectTypeError as error:
            reason = Reason.AMBIGUOUS_TYPE if error.candidates else Reason.UNKNOWN_TYPE
            raise validation_error(reason, text=text, choices=", ".join(error.candidates)) from None


class RecordIdField(forms.CharField):
    """A record's id; cleans to 1 to 20 digits without leading zeros, or to nothing."""

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        try:
            return read_record_id(text) if text else ""
        except RecordIdError as error:
            raise validation_error(error.reason, **error.facts) from None


def validation_error(code: str, sentence: Any = None, **facts: str | int) -> ValidationError:
    """Return the error that tells a reason in a sentence, by default the one for all fields."""
    if "text" in facts:
        facts["text"] = _shortened(str(facts["text"]))
    sentences: dict[str, Any] = {**SENTENCES, **PAIR_SENTENCES}
    return ValidationError(sentence or sentences[code], code=str(code), params=facts)


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
