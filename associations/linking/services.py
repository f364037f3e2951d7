"""The one flow: log → PUT → log.

No database transaction stays open around HTTP, and nothing that changes HubSpot reaches it that was
not committed to the log first.
"""

import logging
import time
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from django.db import Error as DBError
from django.utils import timezone

from associations.audit import recorder
from associations.audit.recorder import NO_NAMES, LogUnavailableError, RequestMeta
from associations.audit.throttling import check_looks, check_rate_of_checks, check_rate_of_submits
from associations.gateway import clients
from associations.hubspot.answers import Answer, Attempt, merge_attempts, merged_columns
from associations.hubspot.client import IsStillIn, default_association_path
from associations.hubspot.outcomes import Cause
from associations.linking.identity import asked_ids
from associations.linking.verification import read_after, read_before, read_link, told_before
from associations.models import (
    AssociationCheck,
    AssociationRequest,
    AssociationRequestQuerySet,
    SeenNames,
)
from associations.models.readable import UNREADABLE, demand_value, with_readable

if TYPE_CHECKING:
    from hubadmin.models import User

logger = logging.getLogger(__name__)

LEFT_TO_PAGES = timedelta(seconds=15)  # within which the page that tells of a link looks


def _always() -> bool:
    """For callers who are nobody's request."""
    return True


class SentBeforeError(Exception):
    """This very submit came before, and its entry has ended; nothing was sent now."""

    def __init__(self, entry: AssociationRequest) -> None:
        super().__init__(f"entry {entry.pk}")
        self.entry = entry


def create_association(
    *,
    user: "User",
    from_object_type: str,
    from_object_id: str,
    to_object_type: str,
    to_object_id: str,
    reason: str = "",
    submit_token: str = "",
    meta: RequestMeta | None = None,
    names: SeenNames = NO_NAMES,
    was_linked: bool | None = None,
    was_linked_at: datetime | None = None,
    is_still_in: IsStillIn = _always,
) -> AssociationRequest:
    """Link two records and return the log entry, closed, with the names that somebody saw.

    `is_still_in` is asked right before each call: nothing leaves for somebody who has left.
    `was_linked` is whether the default type linked them when somebody was shown that, at
    `was_linked_at`. Then HubSpot is not asked for it again, and the look afterwards is left to
    look_after(), if HubSpot confirms the link.

    Types in canonical form, ids as digits (the form sees to it; anything else is a ValueError and
    never sent). The same `submit_token` with the same fields is the same submit, and nothing is
    sent again: while it is under way its entry comes back, open; after its end that is a
    SentBeforeError. Raises LogUnavailableError, ThrottledError.
    """
    association: dict[str, Any] = {
        "from_object_type": from_object_type,
        "from_object_id": from_object_id,
        "to_object_type": to_object_type,
        "to_object_id": to_object_id,
    }
    # What could be wrong with the request or the settings comes out before anything is logged.
    default_association_path(**association)
    clients.interactive()
    entry, created = recorder.open_entry(
        user=user,
        submit_token=submit_token,
        meta=meta or RequestMeta(),
        names=names,
        admit=check_rate_of_submits,
        **association,
        reason=reason,
        was_linked=was_linked,
        was_linked_at=was_linked_at,
    )
    return send(entry, is_still_in) if created else _under_way(entry)


def _under_way(entry: AssociationRequest) -> AssociationRequest:
    """The entry of a submit that came before, unless that has ended, be it by a crash."""
    if entry.is_open:
        recorder.close_abandoned()
        entry.refresh_from_db()
    if not entry.is_open:
        raise SentBeforeError(entry)
    return entry


def send(entry: AssociationRequest, is_still_in: IsStillIn = _always) -> AssociationRequest:
    """Ask HubSpot for the link, log each attempt as it ends, and close the entry.

    What is there before and after is looked up, if that is switched on.
    """
    client, numbers = clients.interactive().on_behalf(is_still_in), count(1)
    last: list[tuple[int, Attempt]] = []
    is_shown = entry.was_linked is not None
    before = read_before(client, entry)
    try:
        answer = client.create_default_association(
            from_object_type=entry.from_object_type,
            from_object_id=entry.from_object_id,
            to_object_type=entry.to_object_type,
            to_object_id=entry.to_object_id,
            on_attempt=lambda attempt: recorder.record_attempt(entry, next(numbers), attempt),
            on_last=lambda attempt: last.append((next(numbers), attempt)),
        )
    except DBError:
        # Nobody can say whether they may still act, so nothing more is sent; nor can it be closed.
        logger.exception("it could not be asked who may act", extra={"entry": entry.pk})
        return entry
    if answer.cause is Cause.CONFIRMED and (is_shown or before is None):
        return recorder.close_entry(entry, answer, *last, look_due=before and True)
    recorder.record_attempt(entry, *last[0])  # before anything else may go wrong
    answer, seen = read_after(client, entry, before, answer)
    return recorder.close_entry(entry, answer, **asdict(seen))


def look_after(entry: AssociationRequest) -> AssociationRequest:
    """Make the look that was left out when the entry was closed, and keep what it shows."""
    before = told_before(entry)
    if not (entry.look_due and before and (answers := _answers_of(entry))):
        return entry
    answer, seen = read_after(clients.looking(), entry, before, merge_attempts(answers))
    return recorder.note_look(entry, answer, **asdict(seen))


def _answers_of(entry: AssociationRequest) -> list[Answer]:
    try:
        return recorder.answers_of(entry)
    except UNREADABLE as error:  # somebody has altered an attempt
        demand_value(error)
        return []


def is_look_left() -> bool:
    """Whether there is an entry for whose look no page has come."""
    return _left_to_look_at().exists()


def look_after_one() -> bool:
    """Make one of these looks, for a worker; return whether it could be made."""
    entry = _left_to_look_at().order_by("sent_at").first()
    return bool(entry and not look_after(entry).look_due)


def _left_to_look_at() -> AssociationRequestQuerySet:
    return with_readable(AssociationRequest.objects.look_due(timezone.now() - LEFT_TO_PAGES))


def check_again(
    *,
    user: "User",
    entry: AssociationRequest,
    meta: RequestMeta,
    is_still_in: IsStillIn = _always,
) -> AssociationCheck:
    """Look once more whether the entry's records are linked, and keep what was seen.

    Raises LogUnavailableError, ThrottledError.
    """
    try:
        check_rate_of_checks(user, timezone.now())
        check_looks(user)
    except DBError as error:
        logger.exception("the log could not be read")
        raise LogUnavailableError from error
    start = time.monotonic()
    seen = read_link(clients.looking().on_behalf(is_still_in), entry)
    return recorder.record_check(
        entry=entry,
        user=user,
        meta=meta,
        duration_ms=round((time.monotonic() - start) * 1000),
        is_linked=seen.is_linked,
        types=[asdict(each) for each in seen.link.types] if seen.link else [],
        **merged_columns(asked_ids(entry), seen.ids),
        cause=seen.error.cause if seen.error else "",
        error_text=seen.error.answer.error_text if seen.error else "",
    )
