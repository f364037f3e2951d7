"""Asks HubSpot for records on somebody's behalf: bounded, remembered for moments, and logged.

One question may take two searches, and is one event of the log. What was asked a moment ago costs
nothing and is none.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

from django.db import Error as DBError
from django.utils import timezone

from associations.audit.recorder import LogUnavailableError, RequestMeta, record_search
from associations.audit.throttling import check_finds
from associations.gateway import clients
from associations.gateway.account import display_property
from associations.gateway.cache import cached_lookup
from associations.hubspot import search
from associations.hubspot.client import HubSpotClient, ReadError
from associations.hubspot.object_types import ObjectType
from associations.hubspot.outcomes import Cause
from associations.hubspot.schemas import Record
from associations.hubspot.search import Matches

if TYPE_CHECKING:
    from hubadmin.models import User

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")
REMEMBERED = 30  # seconds
ASKED = 30  # records of one search; HubSpot's order is not by how well they match


@dataclass(slots=True)
class Question:
    """One question of a person: which types were searched for it, and what was found."""

    user: "User"
    meta: RequestMeta
    how: str  # one of Kind
    searched: list[ObjectType] = field(default_factory=list)
    hits: int = 0
    _asked: list[ObjectType] = field(default_factory=list)  # not only remembered

    def by_words(self, object_type: ObjectType, query: str) -> Matches:
        """Return the records with these words. Raises ReadError, ThrottledError."""
        return self._ask(clients.searching, object_type, _by_words, query) or Matches()

    def by_domain(self, object_type: ObjectType, domain: str) -> Matches:
        """Return the companies with this domain, be it one of several that they have."""
        return self._ask(clients.searching, object_type, _by_domain, domain) or Matches()

    def by_key(self, object_type: ObjectType, property_name: str, value: str) -> list[Record]:
        """Return the records that a unique property's value names: one, unless something is odd."""
        found = self._ask(clients.looking, object_type, _by_key, value, property_name) or []
        return list({record.object_id: record for record in found}.values())

    def log(self) -> None:
        """Log what was asked. Raises LogUnavailableError: then nobody sees what was found."""
        if self._asked:
            types = list(dict.fromkeys(each.canonical for each in self._asked))
            record_search(user=self.user, meta=self.meta, how=self.how, types=types, hits=self.hits)

    def _ask(
        self,
        client: Callable[[], HubSpotClient],
        object_type: ObjectType,
        look: Callable[[HubSpotClient, str, str, *Arguments], T | None],
        *arguments: *Arguments,
    ) -> T | None:
        def admitted() -> HubSpotClient:  # it is asked for only if nothing is remembered
            self._admit(object_type)
            return client()

        if object_type not in self.searched:
            self.searched.append(object_type)
        name = object_type.canonical
        asked = name, display_property(name), *arguments
        whose = self.user.pk
        return cached_lookup(look, *asked, seconds=REMEMBERED, client=admitted, whose=whose)

    def _admit(self, object_type: ObjectType) -> None:
        if not self._asked:
            try:
                check_finds(self.user, timezone.now())
            except DBError as error:
                raise LogUnavailableError from error
        self._asked.append(object_type)


# What finds nothing is asked again soon: HubSpot's search lags, and a record may be made just now.


def _by_words(client: HubSpotClient, object_type: str, display: str, query: str) -> Matches | None:
    found = search.search(client, object_type, query, display, limit=ASKED)
    return found if found.records else None


def _by_domain(
    client: HubSpotClient, object_type: str, display: str, domain: str
) -> Matches | None:
    values = [domain, f"www.{domain}"]
    try:
        found = search.search_by_values(client, object_type, "domain", values, display, limit=ASKED)
    except ReadError as error:
        if error.cause is not Cause.REFUSED:
            raise
        return None  # HubSpot does not say whether further domains can be searched; words can
    return found if found.records else None


def _by_key(
    client: HubSpotClient, object_type: str, display: str, value: str, property_name: str
) -> list[Record] | None:
    found = search.find_by_key(client, object_type, property_name, [value], display)
    return found.get(value)
