"""The properties of the portal's object types: how they are defined, which are searched."""

from typing import Any

from hubadmin.demo.sandbox.words import indexed_words, searchable_number

_TEXT, _PHONE, _NUMBER = ("string", "text"), ("string", "phonenumber"), ("number", "number")
_LONG, _DATE, _CHOICE = ("string", "textarea"), ("datetime", "date"), ("enumeration", "select")
_Definition = tuple[str, tuple[str, str]]  # label, type and field type

CREATED, CHANGED = "2026-03-02T08:00:00.000Z", "2026-06-15T12:30:00.000Z"
_OF_ALL: dict[str, _Definition] = {
    "createdate": ("Create date", _DATE),
    "hs_lastmodifieddate": ("Last modified date", _DATE),
    "hs_object_id": ("Record ID", _NUMBER),
    "hubspot_owner_id": ("Owner", _CHOICE),
    "notes_last_updated": ("Last activity date", _DATE),
}
_OF_TYPE: dict[str, dict[str, _Definition]] = {
    "0-1": {
        "firstname": ("First name", _TEXT),
        "lastname": ("Last name", _TEXT),
        "email": ("Email", _TEXT),
        "hs_additional_emails": ("Additional email addresses", ("enumeration", "checkbox")),
        "phone": ("Phone number", _PHONE),
        "mobilephone": ("Mobile phone number", _PHONE),
        "fax": ("Fax number", _TEXT),
        "company": ("Company name", _TEXT),
        "city": ("City", _TEXT),
        "jobtitle": ("Job title", _TEXT),
        "lastmodifieddate": ("Last modified date", _DATE),
        "hs_searchable_calculated_phone_number": ("Calculated phone number", _TEXT),
        "hs_searchable_calculated_mobile_number": ("Calculated mobile number", _TEXT),
    },
    "0-2": {
        "name": ("Company name", _TEXT),
        "domain": ("Company domain name", _TEXT),
        "hs_additional_domains": ("Additional domains", ("enumeration", "checkbox")),
        "website": ("Website URL", _TEXT),
        "phone": ("Phone number", _PHONE),
        "city": ("City", _TEXT),
        "hs_searchable_calculated_phone_number": ("Calculated phone number", _TEXT),
    },
    "0-3": {
        "dealname": ("Deal name", _TEXT),
        "pipeline": ("Pipeline", _CHOICE),
        "dealstage": ("Deal stage", _CHOICE),
        "amount": ("Amount", _NUMBER),
        "description": ("Deal description", _LONG),
        "dealtype": ("Deal type", _CHOICE),
    },
    "0-5": {
        "subject": ("Ticket name", _TEXT),
        "content": ("Ticket description", _LONG),
        "hs_pipeline_stage": ("Ticket status", _CHOICE),
        "hs_ticket_category": ("Category", _CHOICE),
        "hs_ticket_id": ("Ticket ID", _NUMBER),
    },
    "0-7": {
        "name": ("Name", _TEXT),
        "description": ("Product description", _LONG),
        "price": ("Unit price", _NUMBER),
        "hs_sku": ("SKU", _TEXT),
    },
    "0-46": {"hs_note_body": ("Note body", _LONG)},
    "2-4001": {"name": ("Name", _TEXT), "vin": ("Vehicle identification number", _TEXT)},
    "2-4002": {"address": ("Address", _TEXT)},
}
_OPTIONS = {
    "pipeline": {"default": "Sales pipeline", "partners": "Partner sales"},
    "dealstage": {"qualified": "Qualified", "offer": "Offer sent", "closedwon": "Won"},
    "hs_pipeline_stage": {"1": "New", "2": "Waiting on contact", "4": "Closed"},
}
# As HubSpot lists them: an e-mail address is a key of contacts, but not marked as unique.
_UNIQUE = {"2-4001": {"vin"}}
_SEARCHED = {
    "0-1": [
        "firstname",
        "lastname",
        "email",
        "phone",
        "hs_additional_emails",
        "fax",
        "mobilephone",
        "company",
    ],
    "0-2": ["website", "phone", "name", "domain"],
    "0-3": ["dealname", "pipeline", "dealstage", "description", "dealtype"],
    "0-5": ["subject", "content", "hs_pipeline_stage", "hs_ticket_category", "hs_ticket_id"],
    "0-7": ["name", "description", "price", "hs_sku"],
    "0-46": ["hs_note_body"],
    "2-4001": ["name", "vin"],
    "2-4002": ["address"],
}
# What search tells of a record unless asked for something else, besides its id and its dates.
_TOLD = {
    "0-1": ["firstname", "lastname", "email", "lastmodifieddate"],
    "0-2": ["name", "domain"],
    "0-3": ["dealname", "amount", "closedate", "pipeline", "dealstage"],
    "0-5": ["subject", "content", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_category"],
}
_NUMBERS = {
    "hs_searchable_calculated_phone_number": "phone",
    "hs_searchable_calculated_mobile_number": "mobilephone",
}
_DATES = {"createdate": CREATED, "hs_lastmodifieddate": CHANGED, "lastmodifieddate": CHANGED}
# More than one value each, with a semicolon between two.
SEVERAL = {"hs_additional_emails", "hs_additional_domains"}


def describe(type_id: str) -> list[dict[str, Any]]:
    """Return the definitions of a type's properties, its own first."""
    shared = [_definition(type_id, name, *what) for name, what in _OF_ALL.items()]
    return describe_own(type_id) + shared


def describe_own(type_id: str) -> list[dict[str, Any]]:
    """Return the definitions of those that only this type has."""
    own = _OF_TYPE.get(type_id, {})
    return [_definition(type_id, name, *what) for name, what in own.items()]


def searchable(type_id: str) -> list[str]:
    """Return which properties a query looks at."""
    return _SEARCHED.get(type_id, [])


def told_by_search(type_id: str) -> list[str]:
    """Return which properties search tells of unless asked for others."""
    return _TOLD.get(type_id, [])


def keys_of_type(type_id: str, name: str) -> list[str]:
    """Return where a batch that is read by this property looks; nowhere if it is no key."""
    if (type_id, name) == ("0-1", "email"):
        return ["email", "hs_additional_emails"]
    return [name] if name in _UNIQUE.get(type_id, ()) else []


def value_of(record: dict[str, str], name: str) -> str | None:
    """Return a record's property, a calculated one too; None where it has none."""
    if name in _NUMBERS:
        return searchable_number(record.get(_NUMBERS[name], "")) or None
    return record.get(name, _DATES.get(name))


def values_of(record: dict[str, str], name: str) -> list[str]:
    """Return the values of a property, of which some have several."""
    value = value_of(record, name)
    if not value:
        return []
    return value.split(";") if name in SEVERAL else [value]


def words_of_record(type_id: str, record: dict[str, str]) -> set[str]:
    """Return the words that a query finds the record by."""
    words: set[str] = set()
    for name in searchable(type_id):
        if value := record.get(name):
            is_phone = name in ("phone", "mobilephone", "fax")
            words.update([searchable_number(value)] if is_phone else indexed_words(value))
    return words - {""}


def _definition(type_id: str, name: str, label: str, kind: tuple[str, str]) -> dict[str, Any]:
    is_custom = type_id.startswith("2-") and name not in _OF_ALL
    options = [
        {"label": told, "value": value, "displayOrder": place, "hidden": False}
        for place, (value, told) in enumerate(_OPTIONS.get(name, {}).items())
    ]
    read_only = name in _DATES or name in _NUMBERS or name == "hs_object_id"
    return {
        "name": name,
        "label": label,
        "description": "",
        "type": kind[0],
        "fieldType": kind[1],
        "groupName": "information",
        "options": options,
        "displayOrder": -1,
        "calculated": name in _NUMBERS,
        "externalOptions": name == "hubspot_owner_id",
        "hasUniqueValue": name in _UNIQUE.get(type_id, ()),
        "hidden": False,
        "hubspotDefined": not is_custom,
        "formField": False,
        "dataSensitivity": "non_sensitive",
        "modificationMetadata": {
            "archivable": is_custom,
            "readOnlyDefinition": not is_custom,
            "readOnlyValue": read_only,
        },
        "archived": False,
    }
