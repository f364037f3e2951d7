"""What HubSpot would refuse, so that it is told before anybody asks for it.

By the limits that admins set there, by the types that are switched off, and by what the token may.
What HubSpot does not show is not known, which is never a no.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from associations.gateway import clients
from associations.gateway.account import disabled_types, granted_scopes
from associations.gateway.cache import cached_lookup
from associations.hubspot.client import HubSpotClient, ReadError
from associations.hubspot.lookups import association_types, limits_set
from associations.hubspot.object_types import stored_type
from associations.hubspot.outcomes import Cause
from associations.hubspot.schemas import Links
from associations.hubspot.scopes import has_scope, scopes_for

LIMIT_SECONDS = 10 * 60


def limits_of(
    from_type: str, to_type: str, client: Callable[[], HubSpotClient] = clients.looking
) -> dict[int, int]:
    """Return to how many records of a type one may be linked, by the association type.

    Empty if that is not known. Raises ReadError only where nobody may ask any more.
    """
    asked = from_type, to_type
    try:
        return cached_lookup(limits_set, *asked, seconds=LIMIT_SECONDS, client=client)
    except ReadError as error:
        if error.cause is Cause.ACCESS_ENDED:
            raise
        return {}


def limit_of(from_type: str, to_type: str, client: Callable[[], HubSpotClient]) -> int:
    """Return the same for the default type; 0 if that has no limit, or it is not known."""
    asked = from_type, to_type
    if not (limits := limits_of(*asked, client)):
        return 0
    try:
        types = cached_lookup(association_types, *asked, seconds=LIMIT_SECONDS, client=client)
    except ReadError as error:
        if error.cause is Cause.ACCESS_ENDED:
            raise
        return 0
    default = next((each.type_id for each in types if not each.label), None)
    return limits.get(default or 0, 0)


def linked_by(type_id: int, links: Links) -> set[str]:
    """Return the ids of those that count for the limit of an association type without a label."""
    return {
        record.object_id
        for record in links.records
        if any(each.type_id == type_id and not each.label for each in record.types)
    }


@dataclass(frozen=True, slots=True)
class Doubts:
    """Why HubSpot may refuse to link records of some types, whichever they are."""

    lacking: list[str]  # scopes of the token
    switched_off: list[str]  # types, in stored form


def doubts_about(object_types: Collection[str]) -> Doubts:
    """Return what of the account and of the token speaks against linking; types in stored form."""
    granted, off = granted_scopes(), disabled_types()
    needed = sorted(scopes_for(object_types, ["write"]))
    lacking = [each for each in needed if granted is not None and not has_scope(granted, each)]
    return Doubts(lacking, sorted({t for t in object_types if stored_type(t).type_id in off}))
