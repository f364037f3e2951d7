"""Looks in HubSpot whether two records are linked, before and after the request to link them.

Where the page has shown the pair a moment ago, that was the look before; then HubSpot's own answer
closes the entry, and nobody waits for the look after (look_after() in services.py).

A look never stands in the way: whatever goes wrong is only noted. The records are compared by the
ids asked for. Only where that finds no link, or HubSpot names others, are they read by themselves:
they may have been merged.
"""

import time
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from associations.hubspot.answers import Answer, Ids
from associations.hubspot.client import HubSpotClient, ReadError
from associations.hubspot.lookups import link_in, links_between
from associations.hubspot.outcomes import Cause, Linked
from associations.hubspot.schemas import LinkedRecord, LinksBetween
from associations.linking.identity import (
    asked_ids,
    ids_left,
    read_by_identity,
    told_of,
    unexpected,
)
from associations.models import AssociationRequest

PAUSE = 0.6  # seconds; HubSpot may lag behind its own answer

# What a second look would only meet again.
_LASTING = {
    *(Cause.TOKEN_REFUSED, Cause.SCOPE_MISSING, Cause.FORBIDDEN, Cause.DAILY_LIMIT),
    Cause.ACCESS_ENDED,
}


@dataclass(frozen=True, slots=True)
class LinkState:
    """What one look showed: the link, or none; or why nothing could be seen.

    `ids` are those that HubSpot has the two records under, as far as they were read; `told` is what
    is left of a look that somebody else made: whether the default type linked them.
    """

    ids: Ids
    link: LinkedRecord | None = None
    links: LinksBetween | None = None
    error: ReadError | None = None
    told: bool | None = None
    at: datetime | None = None

    @property
    def is_linked(self) -> bool | None:
        return None if self.error else self.link is not None

    @property
    def is_default(self) -> bool | None:
        if self.error or self.links is None:
            return self.told
        return bool(self.link and self.link.is_default)

    def under(self, ids: Ids) -> "LinkState":
        """What the same look shows of the records if HubSpot has them under these ids."""
        if self.links is None:
            return replace(self, ids=ids, told=self.told if ids == self.ids else None)
        try:
            return LinkState(ids, link_in(self.links, ids), self.links, at=self.at)
        except ReadError as error:
            return LinkState(ids, links=self.links, error=error)


@dataclass(frozen=True, slots=True)
class Verification:
    """What an entry keeps of the looks before and after; the names are its columns."""

    was_linked: bool | None = None
    was_linked_at: datetime | None = None
    verified: bool | None = None
    verified_at: datetime | None = None
    unverified_cause: str = ""


def read_link(client: HubSpotClient, entry: AssociationRequest) -> LinkState:
    return _identified(client, entry, _look(client, entry, asked_ids(entry)))


def read_before(client: HubSpotClient, entry: AssociationRequest) -> LinkState | None:
    """Look whether the records are linked already; None if verifying is switched off.

    Where the entry says what was seen a moment ago, that is it.
    """
    if not settings.HUBSPOT_VERIFY:
        return None
    return told_before(entry) or _look(client, entry, asked_ids(entry))


def told_before(entry: AssociationRequest) -> LinkState | None:
    if entry.was_linked is None:
        return None
    return LinkState(asked_ids(entry), told=entry.was_linked, at=entry.was_linked_at)


def read_after(
    client: HubSpotClient, entry: AssociationRequest, before: LinkState | None, answer: Answer
) -> tuple[Answer, Verification]:
    """Look what has become of it, unless it cannot have become anything: once more if need be.

    Return also the answer, read by what the looks have shown of the records.
    """
    ids = asked_ids(entry)
    if answer.cause is Cause.NOT_SHOWN:
        answer, ids = read_by_identity(client, entry, answer)
    if before is None:
        return answer, Verification()
    if answer.verdict.linked is Linked.NO:
        before = before.under(ids)
        before = _identified(client, entry, before) if _has_others(before) else before
        return told_of(entry, answer, before.ids), Verification(*_seen_in(before))
    if before.error and before.error.cause in _LASTING:
        return answer, Verification(unverified_cause=before.error.cause)
    after = _until_seen(client, entry, ids)
    if after.ids != before.ids:
        answer, before = told_of(entry, answer, after.ids), before.under(after.ids)
    if after.error:
        return answer, Verification(*_seen_in(before), unverified_cause=after.error.cause)
    return answer, Verification(*_seen_in(before), after.is_default, verified_at=timezone.now())


def _seen_in(before: LinkState) -> tuple[bool | None, datetime | None]:
    was_linked = before.is_default
    return was_linked, None if was_linked is None else before.at


def _until_seen(client: HubSpotClient, entry: AssociationRequest, ids: Ids) -> LinkState:
    first = _identified(client, entry, _look(client, entry, ids))
    if first.error or first.is_default:
        return first
    time.sleep(PAUSE)
    return _look(client, entry, first.ids)


def _look(client: HubSpotClient, entry: AssociationRequest, ids: Ids) -> LinkState:
    ends = (entry.from_object_type, entry.from_object_id, entry.to_object_type, entry.to_object_id)
    try:
        links = links_between(client, *ends)
    except ReadError as error:
        return LinkState(ids, error=error)
    except Exception:
        return LinkState(ids, error=unexpected(entry))
    return LinkState(ids, links=links, at=timezone.now()).under(ids)


def _has_others(state: LinkState) -> bool:
    """Whether the first record is linked to some other one, which may be the one asked for."""
    return bool(state.links and state.links.there.records)


def _identified(client: HubSpotClient, entry: AssociationRequest, state: LinkState) -> LinkState:
    """What a look shows by the ids that HubSpot has the records under, where these may differ."""
    if state.links is None:
        return state
    named = state.links.there.object_id
    if state.link and named in ("", state.ids[0]):
        return state
    try:
        return state.under(ids_left(client, entry))
    except ReadError as error:
        return LinkState(state.ids, error=error)
