"""What HubSpot shows of records, of the links between them, and of the account. Changes nothing.

Every function takes the client and raises its ReadError. Shapes as HubSpot documents them; what
else may come is read as "not told".
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from associations.hubspot.answers import Answer, Ids, strings_in
from associations.hubspot.client import ASSOCIATION_PATHS, RECORD_PATHS, HubSpotClient, ReadError
from associations.hubspot.object_types import resolve
from associations.hubspot.outcomes import Cause
from associations.hubspot.record_references import is_record_id
from associations.hubspot.sanitizing import cut_text, keyed, listed, parse_moment, whole_number
from associations.hubspot.schemas import (
    Account,
    AssociationType,
    CustomType,
    LinkedRecord,
    Links,
    LinksBetween,
    PairTypes,
    Record,
    Token,
    Usage,
    parse_association_type,
    parse_custom_type,
    parse_id,
    parse_linked_record,
    parse_record,
)

_MOST, _OTHER_PATH = "userEnforcedMaxToObjectIds", "/crm/associations/v4"
PROPERTY_LENGTH = 65_536  # of HubSpot's longest
_IDS = ["hs_object_id", "hs_merged_object_ids", "hs_calculated_merged_vids"]
SECONDS = 1.5  # a look is a courtesy, and shall not keep anybody waiting

# What people know a record by: the properties of its name, and of a second line, which tells twins
# apart.
_DISPLAY: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "contacts": (("firstname", "lastname"), ("email", "company", "city", "notes_last_updated")),
    "companies": (("name",), ("domain", "city")),
    "deals": (("dealname",), ("dealstage", "pipeline", "amount")),
    "tickets": (("subject",), ("createdate",)),  # their stages are called by numbers
    "0-7": (("name",), ("hs_sku",)),
    "0-8": (("name",), ()),
    "0-14": (("hs_title",), ()),
    "0-27": (("hs_task_subject",), ()),
    "0-47": (("hs_meeting_title",), ()),
    "0-48": (("hs_call_title",), ()),
    "0-49": (("hs_email_subject",), ()),
    "0-123": (("hs_order_name",), ()),
    "0-136": (("hs_lead_name",), ()),
    "0-162": (("hs_name",), ()),
    "0-410": (("hs_course_name",), ()),
    "0-420": (("hs_name",), ()),
    "0-421": (("hs_appointment_name",), ()),
}


@dataclass(frozen=True, slots=True)
class Display:
    """The properties by which people know records of a type."""

    names: tuple[str, ...]
    details: tuple[str, ...]

    @property
    def properties(self) -> list[str]:
        return [*self.names, *self.details] or ["hs_object_id"]

    def records_in(self, shown: dict[str, Any]) -> list[Record]:
        """The records of an answer, in its order."""
        parsed = (parse_record(each, self.names, self.details) for each in results_in(shown))
        return [record for record in parsed if record]


def display_of(object_type: str, display_property: str = "") -> Display:
    """Return these of a type; of custom objects the account says which one it is."""
    own = ((display_property,) if display_property else (), ())
    return Display(*_DISPLAY.get(object_type, own))


def find_records(
    client: HubSpotClient,
    object_type: str,
    object_ids: Sequence[str],
    display_property: str = "",
) -> dict[str, Record]:
    """Return those of at most 100 records that HubSpot has, by id."""
    display = display_of(object_type, display_property)
    shown = _read_records(client, object_type, object_ids, display.properties, seconds=SECONDS)
    return {record.object_id: record for record in display.records_in(shown)}


def find_record(
    client: HubSpotClient, object_type: str, object_id: str, display_property: str = ""
) -> Record | None:
    """Return the record that HubSpot shows for this id; None if it has none.

    Of a record that was merged into another HubSpot shows the other one, with its own id.
    """
    found = find_records(client, object_type, [object_id], display_property)
    return next(iter(found.values()), None)


def is_archived(client: HubSpotClient, object_type: str, object_id: str) -> bool:
    """Whether a record that HubSpot does not show any more was deleted there not long ago."""
    return object_id in archived_among(client, object_type, [object_id])


def archived_among(
    client: HubSpotClient, object_type: str, object_ids: Sequence[str]
) -> Collection[str]:
    """Return those of at most 100 records that were deleted not long ago."""
    path = f"{record_path(client, object_type)}/batch/read?archived=true"
    inputs = [{"id": _id(object_id)} for object_id in object_ids]
    return _ids_in(_read(client, path, {"properties": ["hs_object_id"], "inputs": inputs}))


def links_of(
    client: HubSpotClient, from_object_type: str, from_object_id: str, to_object_type: str
) -> Links:
    """Return the records of one type that a record is linked to, as far as one answer shows."""
    path = f"{_association_path(client, from_object_type, to_object_type)}/batch/read"
    shown = _read(client, path, {"inputs": [{"id": _id(from_object_id)}]})
    parts = [_links_in(result) for result in results_in(shown)]
    linked = [record for part in parts for record in part.records]
    is_whole = all(part.is_whole for part in parts)
    is_told = all(each.types for each in linked)
    if not is_told or (not linked and not _errors_only_say(shown, "NO_ASSOCIATIONS_FOUND")):
        raise ReadError(Answer(Cause.UNREADABLE))
    return Links(tuple(linked), is_whole, parts[0].object_id if parts else "")


def links_of_many(
    client: HubSpotClient,
    from_object_type: str,
    from_object_ids: Sequence[str],
    to_object_type: str,
    *,
    seconds: float,
) -> dict[str, Links]:
    """Return the same for at most 1,000 records, by id, within `seconds`.

    A record that HubSpot tells nothing of is left out.
    """
    path = f"{_association_path(client, from_object_type, to_object_type)}/batch/read"
    body = {"inputs": [{"id": _id(object_id)} for object_id in from_object_ids]}
    deadline = time.monotonic() + seconds
    shown = client.read(path, body, seconds=seconds)
    found = {links.object_id: links for links in map(_links_in, results_in(shown))}
    if lost := _lost(shown, found, from_object_ids):
        left = current_ids(client, from_object_type, lost, seconds=deadline - time.monotonic())
        found |= {asked: found[now] for asked, now in left.items() if now in found}
    if _errors_only_say(shown, "NO_ASSOCIATIONS_FOUND"):
        return dict.fromkeys(from_object_ids, Links()) | found
    return found


@dataclass(frozen=True, slots=True)
class Shown:
    """What one call shows of the links of many records, by the ids that HubSpot has them under.

    Of those that are `untold` it says that it cannot tell.
    """

    found: dict[str, Links]
    untold: frozenset[str]


def links_in_one_call(
    client: HubSpotClient,
    from_object_type: str,
    from_object_ids: Sequence[str],
    to_object_type: str,
    *,
    seconds: float,
) -> Shown:
    """Return the same by one call only, whatever it leaves in doubt.

    One that tells of nothing at all is a ReadError.
    """
    path = f"{_association_path(client, from_object_type, to_object_type)}/batch/read"
    asked = frozenset(map(_id, from_object_ids))
    shown = client.read(path, {"inputs": [{"id": each} for each in asked]}, seconds=seconds)
    found = {links.object_id: links for links in map(_links_in, results_in(shown))}
    errors = listed(shown.get("errors"))
    named = [(each, asked.intersection(strings_in(each, "context"))) for each in errors]
    none = frozenset[str]().union(*(ids for each, ids in named if _says_none(each)))
    others = [ids for each, ids in named if not _says_none(each)]
    untold = frozenset[str]().union(*others) - {*found}
    if not errors and not found:
        raise ReadError(Answer(Cause.UNREADABLE))
    # Without a word about them they have none, unless the word may be in an error about nobody.
    without = (asked if all(others) else none) - untold - {*found}
    return Shown(dict.fromkeys(without, Links()) | found, untold)


def _says_none(error: Any) -> bool:
    return "NO_ASSOCIATIONS_FOUND" in str(error)


def _lost(shown: dict[str, Any], found: Collection[str], asked: Sequence[str]) -> list[str]:
    """Those that are told of by another id, or not at all: they may have been merged."""
    errors = listed(shown.get("errors"))
    if len(found) + len(errors) >= len(asked) and set(found) <= {*asked}:
        return []
    named = {*found, *strings_in(errors, "context")}
    return [each for each in asked if each not in named]


def links_between(
    client: HubSpotClient,
    from_object_type: str,
    from_object_id: str,
    to_object_type: str,
    to_object_id: str,
) -> LinksBetween:
    """Return what tells whether two records are linked.

    Of a record with more links than one answer shows, the other end is asked as well.
    """
    there = links_of(client, from_object_type, from_object_id, to_object_type)
    if there.is_whole or there.to(to_object_id):
        return LinksBetween(there)
    back = links_of(client, to_object_type, to_object_id, from_object_type)
    return LinksBetween(there, back)


def link_in(links: LinksBetween, ids: Ids) -> LinkedRecord | None:
    """Return the link of two records, by the ids that HubSpot has them under; None without one.

    Where both have more links than one answer shows, that is a ReadError (NOT_SHOWN).
    """
    found = links.there.to(ids[1])
    if found or links.there.is_whole or links.back is None:
        return found
    found = links.back.to(ids[0])
    if found is None and not links.back.is_whole:
        raise ReadError(Answer(Cause.NOT_SHOWN))
    return LinkedRecord(ids[1], found.types) if found else None


def pair_types(
    client: HubSpotClient,
    from_object_type: str,
    from_object_id: str,
    to_object_type: str,
    to_object_id: str,
) -> PairTypes:
    """Return by which types two records are linked, read from both ends.

    Where HubSpot has one of them under another id since, that is a ReadError (MERGED); where one
    has more links than an answer shows, and this one is not among those, NOT_SHOWN.
    """
    ends = (from_object_type, from_object_id), (to_object_type, to_object_id)
    return PairTypes(_types_from(client, *ends), _types_from(client, *ends[::-1]))


def _types_from(
    client: HubSpotClient, one: tuple[str, str], other: tuple[str, str]
) -> tuple[AssociationType, ...]:
    return types_in(links_of(client, *one, other[0]), one[1], other[1])


def types_in(links: Links | None, one_id: str, other_id: str) -> tuple[AssociationType, ...]:
    """Return by which types the links of one record name the other. Raises ReadError."""
    if links is None:
        raise ReadError(Answer(Cause.NOT_SHOWN))
    if links.object_id not in ("", one_id):
        raise ReadError(Answer(Cause.MERGED))
    found = links.to(other_id)
    if not (found and found.types) and (found or not links.is_whole):
        raise ReadError(Answer(Cause.NOT_SHOWN))
    return found.types if found else ()


def current_ids(
    client: HubSpotClient, object_type: str, object_ids: Sequence[str], *, seconds: float = SECONDS
) -> dict[str, str]:
    """Return under which id HubSpot has each of these records: another one if it was merged.

    Those that it has not are left out. Which of many it found under another id it tells only where
    a record names those that were merged into it; the rest are asked for one by one.
    """
    deadline, left = time.monotonic() + seconds, dict[str, str]()
    parts = [object_ids[start : start + 100] for start in range(0, len(object_ids), 100)]
    while parts:
        part, seconds = parts.pop(), deadline - time.monotonic()
        shown = _read_records(client, object_type, part, _IDS, seconds=seconds)
        ids, merged = _ids_in(shown), _merged_in(shown)
        left |= {each: each for each in part if each in ids}
        left |= {each: merged[each] for each in part if each in merged and each not in ids}
        lost = set(part).difference(left, strings_in(listed(shown.get("errors")), "context"))
        if len(part) > 1:
            parts += [[each] for each in lost]
        elif lost and ids:
            left[part[0]] = min(ids)
    return left


def association_types(
    client: HubSpotClient, from_object_type: str, to_object_type: str
) -> list[AssociationType]:
    """Return the ways in which records of two types may be linked."""
    path = f"{_association_path(client, from_object_type, to_object_type)}/labels"
    return [parse_association_type(each) for each in results_in(_read(client, path))]


def limits_set(client: HubSpotClient, from_object_type: str, to_object_type: str) -> dict[int, int]:
    """Return to how many records of a type admins let one be linked, by the association type."""
    pair = f"{segment(from_object_type)}/{segment(to_object_type)}"
    shown = results_in(_read_configurations(client, pair))
    found = [(parse_association_type(each).type_id, each.get(_MOST)) for each in shown]
    return {type_id: most for type_id, told in found if type_id and (most := whole_number(told))}


def custom_types(client: HubSpotClient) -> list[CustomType]:
    """Return the account's custom objects, with its own labels."""
    shown = read_twin(client, "/crm-object-schemas/{}/schemas")
    return [found for each in results_in(shown) if (found := parse_custom_type(each))]


def types_not_enabled(client: HubSpotClient) -> set[str]:
    """Return the ids of the types that are switched off in the account."""
    older = "/crm/{}/object-library/enablement"
    shown = read_twin(client, "/crm/object-library/{}/enablement", older)
    told = keyed(shown.get("enablementByObjectTypeId"))
    return {type_id for type_id, is_enabled in told.items() if is_enabled is False}


def account(client: HubSpotClient) -> Account:
    shown = read_twin(client, "/account-info/{}/details")
    return Account(
        portal_id=parse_id(shown.get("portalId")),
        ui_domain=cut_text(shown.get("uiDomain"), 100),
        time_zone=cut_text(shown.get("timeZone"), 100),
    )


def usage(client: HubSpotClient) -> Usage | None:
    """Return the calls of the day; None if HubSpot does not tell them."""
    for each in results_in(read_twin(client, "/account-info/{}/api-usage/daily/private-apps")):
        limit, used = (whole_number(each.get(name)) for name in ("usageLimit", "currentUsage"))
        if limit and used is not None:
            return Usage(limit, used, parse_moment(each.get("resetsAt")))
    return None


def token_scopes(client: HubSpotClient) -> Token:
    """Return what HubSpot tells of the token; a ReadError where it knows no token of this kind."""
    path = "/oauth/v2/private-apps/get/access-token-info"
    shown = client.read_token_info(path, seconds=SECONDS)
    scopes, names = shown.get("scopes"), None
    if isinstance(scopes, list):
        names = frozenset(filter(None, (cut_text(each, 100) for each in scopes)))
    return Token(parse_id(shown.get("hubId")), names)


# --- what came back -----------------------------------------------------------------------------


def _read(client: HubSpotClient, path: str, body: Any = None) -> dict[str, Any]:
    return client.read(path, body, seconds=SECONDS)


def read_twin(client: HubSpotClient, path: str, older: str = "") -> dict[str, Any]:
    """Read what stands under v3 beside v4, and under its own date in each dated version.

    HubSpot lists these for 2026-03; for later ones they are derived from that. Where it has none
    after all, the older path still shows the same.
    """
    before = (older or path).format("v3")
    if client.api_version == "v4":
        return _read(client, before)
    try:
        return _read(client, path.format(client.api_version))
    except ReadError as error:
        if error.answer.http_status != HTTPStatus.NOT_FOUND:
            raise
        return _read(client, before)


def _read_configurations(client: HubSpotClient, pair: str) -> dict[str, Any]:
    """What stands at the one or the other address that HubSpot gives for it in v4."""
    deadline, path = time.monotonic() + SECONDS, f"definitions/configurations/{pair}"
    try:
        return _read(client, f"{ASSOCIATION_PATHS[client.api_version]}/{path}")
    except ReadError as error:
        if client.api_version != "v4" or error.answer.http_status != HTTPStatus.NOT_FOUND:
            raise
        return client.read(f"{_OTHER_PATH}/{path}", seconds=deadline - time.monotonic())


def _read_records(
    client: HubSpotClient,
    object_type: str,
    object_ids: Sequence[str],
    properties: Sequence[str],
    *,
    seconds: float,
) -> dict[str, Any]:
    """What tells of at most 100 records; a ReadError if it does not say that some are absent."""
    path = f"{record_path(client, object_type)}/batch/read"
    inputs = [{"id": _id(object_id)} for object_id in object_ids]
    body = {"properties": properties, "inputs": inputs}
    shown = client.read(path, body, seconds=seconds)
    is_told = _errors_only_say(shown, "OBJECT_NOT_FOUND")
    if len(_ids_in(shown)) < len(object_ids) and not is_told:
        raise ReadError(Answer(Cause.UNREADABLE))
    return shown


def _ids_in(shown: dict[str, Any]) -> set[str]:
    return {parse_id(each.get("id")) for each in results_in(shown)} - {""}


def _merged_in(shown: dict[str, Any]) -> dict[str, str]:
    """Into which record others were merged, by their ids, as far as the records say so."""
    merged = {}
    for each in results_in(shown):
        properties = keyed(each.get("properties"))
        # Of contacts the older property adds when: "501:1764288000000;502:…".
        texts = [cut_text(properties.get(name), PROPERTY_LENGTH) for name in _IDS[1:]]
        for old in ";".join(texts).split(";"):
            merged[parse_id(old.partition(":")[0].strip())] = parse_id(each.get("id"))
    return {old: now for old, now in merged.items() if old and now}


def results_in(shown: dict[str, Any]) -> list[dict[str, Any]]:
    """The results of a finished answer; one without any list of them says nothing."""
    results = shown.get("results")
    if not isinstance(results, list) or shown.get("status", "COMPLETE") != "COMPLETE":
        raise ReadError(Answer(Cause.UNREADABLE))
    return [each for each in results if isinstance(each, dict)]


def _links_in(result: dict[str, Any]) -> Links:
    linked = tuple(filter(None, map(parse_linked_record, listed(result.get("to")))))
    object_id = parse_id(keyed(result.get("from")).get("id"))
    return Links(linked, not result.get("paging"), object_id)


def _errors_only_say(shown: dict[str, Any], mark: str) -> bool:
    """Whether what is not shown is not there: no error says anything else."""
    return all(mark in str(error) for error in listed(shown.get("errors")))


# --- paths, of nothing that is not allow-listed ---------------------------------------------------


def record_path(client: HubSpotClient, object_type: str) -> str:
    return f"{RECORD_PATHS[client.api_version]}/{segment(object_type)}"


def _association_path(client: HubSpotClient, from_object_type: str, to_object_type: str) -> str:
    pair = f"{segment(from_object_type)}/{segment(to_object_type)}"
    return f"{ASSOCIATION_PATHS[client.api_version]}/{pair}"


def segment(object_type: str) -> str:
    if resolve(object_type).canonical != object_type:
        raise ValueError(f"not a canonical object type: {object_type!r}")
    return object_type


def _id(object_id: str) -> str:
    if not is_record_id(object_id):
        raise ValueError(f"not a record id: {object_id!r}")
    return object_id
