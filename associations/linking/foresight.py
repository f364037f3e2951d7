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
from associations.hubspot.lookups import most_linked
from associations.hubspot.object_types import stored_type
from associations.hubspot.outcomes import Cause
from associations.hubspot.schemas import Links
from associations.hubspot.scopes import has_scope, scopes_for

LIMIT_SECONDS = 10 * 60


def limit_of(
    from_type: str, to_type: str, client: Callable[[], HubSpotClient] = clients.looking
) -> int:
    """Return to how many records of a type one may be linked; 0 if no limit is known.

    Raises ReadError only where nobody may ask any more.
    """
    asked = from_type, to_type
    try:
        return cached_lookup(most_linked, *asked, seconds=LIMIT_SECONDS, client=client)
    except ReadError as error:
        if error.cause is Cause.ACCESS_ENDED:
            raise
        return 0


def linked_by_default(links: Links) -> set[str]:
    """Return the ids of the records that count for a limit; more than these may be linked."""
    return {each.object_id for each in links.records if each.is_default}


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
