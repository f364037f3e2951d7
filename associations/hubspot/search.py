"""Finds records by what people know of them: by words, by a property's value, by an exact key.

HubSpot's search is up to a minute behind what was changed; a read by a key is not. Words and keys
leave in the body of a POST, never in an address.
"""

import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from associations.hubspot.answers import Answer
from associations.hubspot.client import HubSpotClient, ReadError
from associations.hubspot.lookups import (
    SECONDS,
    display_of,
    read_twin,
    record_path,
    results_in,
    segment,
)
from associations.hubspot.outcomes import Cause
from associations.hubspot.sanitizing import cut_text, keyed, whole_number
from associations.hubspot.schemas import Record, parse_id

TURN_SECONDS = 2.0  # of waiting for a turn, besides the time that HubSpot has for its answer
A_SECOND = 1.1  # a little more, after which HubSpot takes searches again
MOST_CHARACTERS = 3000  # of a body
MOST_KEYS = 100  # of one read
MOST_VALUES, MOST_A_PAGE = 100, 200  # of one search
OF_THE_REST = 500  # characters of a body that are no values
# Further addresses of a contact, and domains of a company, that name it just as well.
_ALSO = {"email": "hs_additional_emails", "domain": "hs_additional_domains"}


class NoTurnError(ReadError):
    """This site's own limit of searches had no room for it; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Matches:
    """The first records that a search found, in HubSpot's order, and how many there are."""

    records: tuple[Record, ...] = ()
    total: int = 0


def search(
    client: HubSpotClient,
    object_type: str,
    query: str,
    display_property: str = "",
    *,
    limit: int = 10,
) -> Matches:
    """Return the records in which HubSpot finds these words. Raises ReadError."""
    return _search(client, object_type, {"query": query}, display_property, limit)


def search_by_values(
    client: HubSpotClient,
    object_type: str,
    property_name: str,
    values: Sequence[str],
    display_property: str = "",
    *,
    limit: int = 10,
) -> Matches:
    """Return the records whose property has one of a few values. Raises ReadError.

    Of an e-mail address or a domain the further ones of a record count as well.
    """
    values = [value.lower() for value in values]  # others are never found
    groups = [[_filter(property_name, "IN", values=values)]]
    if also := _ALSO.get(property_name):
        groups += [[_filter(also, "CONTAINS_TOKEN", value=value)] for value in values]
    wanted = {"filterGroups": [{"filters": filters} for filters in groups]}
    return _search(client, object_type, wanted, display_property, limit)


def find_by_values(
    client: HubSpotClient,
    object_type: str,
    property_name: str,
    values: Sequence[str],
    display_property: str = "",
) -> dict[str, list[Record]]:
    """Return the records whose property has one of these values, whatever the case, by the value.

    So many values as fits_in() says. Values that no record has are left out. Raises ReadError, also
    if there are more records than HubSpot tells.
    """
    display = display_of(object_type, display_property)
    body = _of_values(property_name, values) | {
        "properties": list(dict.fromkeys([*display.properties, property_name])),
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "limit": MOST_A_PAGE,
    }
    found = defaultdict[str, list[Record]](list)
    path, after = f"{record_path(client, object_type)}/search", ""
    while True:
        shown = _in_a_second(client, path, body | ({"after": after} if after else {}))
        for each in results_in(shown):
            for key in _keys_of(each, property_name, ""):
                found[key] += display.records_in({"results": [each]})
        after = cut_text(keyed(keyed(shown.get("paging")).get("next")).get("after"), 40)
        if not after:
            return {value: found[value.lower()] for value in values if value.lower() in found}


def fits_in(property_name: str, values: Sequence[str]) -> int:
    """Return how many of these values one search takes, at least one."""
    size = len(json.dumps(_of_values(property_name, [])))
    for count, value in enumerate(values[:MOST_VALUES]):
        size += len(json.dumps(value.lower())) + 2
        if size > MOST_CHARACTERS - OF_THE_REST:
            return max(1, count)
    return max(1, min(len(values), MOST_VALUES))


def _of_values(property_name: str, values: Sequence[str]) -> dict[str, Any]:
    wanted = _filter(property_name, "IN", values=[value.lower() for value in values])
    return {"filterGroups": [{"filters": [wanted]}]}


def find_by_key(
    client: HubSpotClient,
    object_type: str,
    property_name: str,
    values: Sequence[str],
    display_property: str = "",
) -> dict[str, list[Record]]:
    """Return the records that at most 100 values of a unique property name, by the value.

    HubSpot does not say which value found which record, so each is asked for those it has. Values
    that name none are left out. Raises ReadError.
    """
    display, also = display_of(object_type, display_property), _ALSO.get(property_name, "")
    properties = dict.fromkeys([*display.properties, property_name, *filter(None, [also])])
    inputs = [{"id": value} for value in values[:MOST_KEYS]]
    body = {"idProperty": property_name, "properties": [*properties], "inputs": inputs}
    shown = client.read(f"{record_path(client, object_type)}/batch/read", body, seconds=SECONDS)
    named = defaultdict[str, list[Record]](list)
    for each in results_in(shown):
        for key in _keys_of(each, property_name, also):
            named[key] += display.records_in({"results": [each]})
    return {value: named[value.lower()] for value in values if value.lower() in named}


def unique_properties(client: HubSpotClient, object_type: str) -> list[str]:
    """Return the account's own properties of a type that name one record each."""
    older = f"/crm/{{}}/properties/{segment(object_type)}"
    shown = read_twin(client, f"/crm/properties/{{}}/{segment(object_type)}", older)
    unique = [each for each in results_in(shown) if each.get("hasUniqueValue") is True]
    names = [cut_text(each.get("name"), 100) for each in unique]
    return [name for name in names if name and not name.startswith("hs_")]


def _search(
    client: HubSpotClient,
    object_type: str,
    wanted: dict[str, Any],
    display_property: str,
    limit: int,
) -> Matches:
    display = display_of(object_type, display_property)
    body = _bounded(wanted | {"properties": display.properties, "limit": limit})
    shown = _in_a_second(client, f"{record_path(client, object_type)}/search", body)
    records = {record.object_id: record for record in display.records_in(shown)}
    total = whole_number(shown.get("total")) or 0
    return Matches(tuple(records.values()), max(total, len(records)))


def _bounded(body: dict[str, Any]) -> dict[str, Any]:
    """The body, with as much of the words as HubSpot takes."""
    while (over := len(json.dumps(body)) - MOST_CHARACTERS) > 0:
        if not (query := body.get("query")):
            raise ReadError(Answer(Cause.REFUSED))  # HubSpot would
        body = body | {"query": query[: -max(1, over // 12)]}  # as long as one can be when written
    return body


def _in_a_second(client: HubSpotClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What a search shows; if HubSpot has had enough of them, a moment later."""
    try:
        return _in_turn(client, path, body)
    except NoTurnError:
        raise
    except ReadError as error:
        if error.cause is not Cause.RATE_LIMITED:
            raise
    time.sleep(A_SECOND)
    return _in_turn(client, path, body)


def _in_turn(client: HubSpotClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    try:
        return client.read(path, body, seconds=TURN_SECONDS + SECONDS)
    except ReadError as error:
        if error.cause is Cause.RATE_LIMITED and error.answer.http_status is None:
            raise NoTurnError(error.answer) from error
        raise


def _filter(property_name: str, operator: str, **wanted: Any) -> dict[str, Any]:
    return {"propertyName": property_name, "operator": operator} | wanted


def _keys_of(shown: dict[str, Any], property_name: str, also: str) -> set[str]:
    properties = keyed(shown.get("properties"))
    texts = [properties.get(name) for name in (property_name, also) if parse_id(shown.get("id"))]
    keys = (key for text in texts for key in cut_text(text, 20_000).split(";"))
    return {key.strip().lower() for key in keys} - {""}
