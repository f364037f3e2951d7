"""Looks in HubSpot whether two records are linked, before and after the request to link them.

A look never stands in the way: whatever goes wrong is only noted.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from associations.hubspot.answers import Answer
from associations.hubspot.client import HubSpotClient, ReadError
from associations.hubspot.lookups import find_link
from associations.hubspot.outcomes import Cause, Linked
from associations.hubspot.schemas import LinkedRecord
from associations.models import AssociationRequest

logger = logging.getLogger(__name__)

PAUSE = 0.6  # seconds; HubSpot may lag behind its own answer

# What a second look would only meet again.
_LASTING = {Cause.TOKEN_REFUSED, Cause.SCOPE_MISSING, Cause.FORBIDDEN, Cause.DAILY_LIMIT}


@dataclass(frozen=True, slots=True)
class LinkState:
    """What one look showed: the link, or none; or why nothing could be seen."""

    link: LinkedRecord | None = None
    error: ReadError | None = None

    @property
    def is_linked(self) -> bool | None:
        return None if self.error else self.link is not None


@dataclass(frozen=True, slots=True)
class Verification:
    """What an entry keeps of the looks before and after; the names are its columns."""

    was_linked: bool | None = None
    verified: bool | None = None
    verified_at: datetime | None = None
    unverified_cause: str = ""


def read_link(client: HubSpotClient, entry: AssociationRequest) -> LinkState:
    try:
        link = find_link(
            client,
            entry.from_object_type,
            entry.from_object_id,
            entry.to_object_type,
            entry.to_object_id,
        )
    except ReadError as error:
        return LinkState(error=error)
    except Exception:  # whatever it is: the request itself must not suffer from a look
        logger.exception("a look failed", extra={"entry": entry.pk})
        return LinkState(error=ReadError(Answer(Cause.UNREADABLE)))
    return LinkState(link)


def read_before(client: HubSpotClient, entry: AssociationRequest) -> LinkState | None:
    """Look whether the records are linked already; None if verifying is switched off."""
    return read_link(client, entry) if settings.HUBSPOT_VERIFY else None


def read_after(
    client: HubSpotClient, entry: AssociationRequest, before: LinkState | None, linked: Linked
) -> Verification:
    """Look what has become of it, unless it cannot have become anything: once more if need be."""
    if before is None:
        return Verification()
    was_linked = None if before.error else bool(before.link and before.link.is_default)
    if linked is Linked.NO:
        return Verification(was_linked)
    if before.error and before.error.cause in _LASTING:
        return Verification(was_linked, unverified_cause=before.error.cause)
    after = _until_seen(lambda: read_link(client, entry))
    if after.error:
        return Verification(was_linked, unverified_cause=after.error.cause)
    is_there = bool(after.link and after.link.is_default)
    return Verification(was_linked, verified=is_there, verified_at=timezone.now())


def _until_seen(look_once: Callable[[], LinkState]) -> LinkState:
    first = look_once()
    if first.error or (first.link and first.link.is_default):
        return first
    time.sleep(PAUSE)
    return look_once()
