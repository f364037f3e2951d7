"""What is wrong with what names a record, on the form as in a bulk run's file."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from associations.hubspot.record_references import PairReason, Reason

UNSEEN = _(
    "The reason holds characters that cannot be seen (%(characters)s). Delete them, or type it "
    "anew."
)
SENTENCES: dict[str, Promise] = {
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
