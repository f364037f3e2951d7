"""Takes back a link that this site has made, where that takes nothing else away.

HubSpot removes whatever links a pair together with its default type, and no answer of its proves
a removal. So the pair is looked at from both ends right before each call, nothing is sent unless
the default type is all there is, and only a look afterwards counts.
"""

import logging
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import Error as DBError
from django.urls import reverse
from django.utils import timezone

from associations.audit import recorder
from associations.audit.integrity.serialization import format_moment
from associations.audit.recorder import LogUnavailableError, RequestMeta
from associations.audit.throttling import check_looks, check_rate_of_submits
from associations.gateway import clients
from associations.hubspot import lookups
from associations.hubspot.answers import (
    Answer,
    Attempt,
    Ids,
    read_removal,
)
from associations.hubspot.client import HubSpotClient, IsStillIn, ReadError
from associations.hubspot.outcomes import Cause, Linked, Outcome
from associations.hubspot.schemas import Links, PairTypes
from associations.linking.identity import ids_left, unexpected
from associations.linking.services import look_after
from associations.linking.verification import PAUSE
from associations.models import OPEN_OUTCOMES, AssociationRequest, BulkRow, SeenNames
from associations.models.querysets import OF_PAIR
from associations.models.readable import read_rows

if TYPE_CHECKING:
    from hubadmin.models import User

logger = logging.getLogger(__name__)

MOST_CALLS = 6  # of one undo
# After these another way to ask for the same may still help.
ANOTHER_WAY = {
    *(Cause.NOT_SEEN_GONE, Cause.REFUSED, Cause.RECORD_NOT_FOUND, Cause.NO_DEFAULT_TYPE),
    *(Cause.UNKNOWN_OBJECT_TYPE, Cause.HUBSPOT_ERROR),
}


class Bar(StrEnum):
    """Why an entry is not undone."""

    NOT_LINKED = "not_linked"  # it has linked nothing
    WAS_LINKED = "was_linked"
    NOT_KNOWN = "not_known"  # whether the two were linked before
    UNDER_WAY = "under_way"
    UNDONE = "undone"
    ASKED_AGAIN = "asked_again"  # by somebody else, later
    TOO_LATE = "too_late"
    # What HubSpot shows
    GONE = "gone"
    NOT_ALONE = "not_alone"
    MERGED = "merged"
    NOT_SEEN = "not_seen"


class NotUndoableError(Exception):
    """Nothing was sent; `look` is what was seen of the pair, if that is why."""

    def __init__(self, bar: Bar, look: "Look | None" = None) -> None:
        super().__init__(bar)
        self.bar, self.look = bar, look


@dataclass(frozen=True, slots=True)
class Look:
    """By which types the pair is linked at a moment, or why that could not be seen."""

    at: datetime
    types: PairTypes | None = None
    error: ReadError | None = None

    @property
    def is_gone(self) -> bool:
        return self.types is not None and self.types.is_gone

    @property
    def bar(self) -> Bar | None:
        if self.types is None:
            is_merged = self.error is not None and self.error.cause is Cause.MERGED
            return Bar.MERGED if is_merged else Bar.NOT_SEEN
        if self.types.is_gone:
            return Bar.GONE
        return None if self.types.is_default_alone else Bar.NOT_ALONE

    @property
    def column(self) -> dict[str, Any]:
        """As the log keeps it; empty if nothing was seen."""
        return {"at": format_moment(self.at), **asdict(self.types)} if self.types else {}


def bar_of(entry: AssociationRequest, user: "User") -> Bar | None:
    """Return why the log alone says that this person cannot undo an entry; None if it does not."""
    undos = set(entry.undos.values_list("outcome", flat=True))
    known = Known(undos, _was_linked(entry), _is_asked_for_again(entry))
    if bar := known.bar_of(entry):
        return bar
    return Bar.TOO_LATE if is_too_late(entry.created_at, user) else None


@dataclass(frozen=True, slots=True)
class Known:
    """What the log knows of an entry that may be undone."""

    undos: Collection[str]  # how those of it ended, or stand
    was_linked: bool | None
    is_asked_again: bool  # by somebody else, later

    def bar_of(self, entry: AssociationRequest) -> Bar | None:
        if entry.undoes_id or not (entry.outcome == Outcome.LINKED or entry.verified):
            return Bar.NOT_LINKED
        if {*self.undos} & {*OPEN_OUTCOMES}:
            return Bar.UNDER_WAY
        if Outcome.UNLINKED in self.undos:
            return Bar.UNDONE
        if self.was_linked is not False:
            return Bar.WAS_LINKED if self.was_linked else Bar.NOT_KNOWN
        return Bar.ASKED_AGAIN if self.is_asked_again else None


def _was_linked(entry: AssociationRequest) -> bool | None:
    """Of a run's entry nobody looked right before it; its dry run did, as long as that is kept."""
    if entry.was_linked is None and entry.run_id and entry.row_number:
        rows = BulkRow.objects.filter(run=entry.run_id, number=entry.row_number)
        return rows.values_list("was_linked", flat=True).first()
    return entry.was_linked


def _is_asked_for_again(entry: AssociationRequest) -> bool:
    later = AssociationRequest.objects.of_pair(entry).newer_than(entry.created_at, entry.pk)
    return later.filter(undoes=None, outcome=Outcome.LINKED).exclude(user=entry.user_id).exists()


def is_too_late(linked_at: datetime, user: "User") -> bool:
    hours = timedelta(hours=settings.UNDO_HOURS)
    return not user.is_admin and timezone.now() - linked_at > hours


def look_at(entry: AssociationRequest, client: HubSpotClient) -> Look:
    """Look by which types the pair is linked now, by the ids that it was linked under."""
    return _look(client, entry, entry.ids_left)


def _look(client: HubSpotClient, entry: AssociationRequest, ids: Ids) -> Look:
    at = timezone.now()
    ends = (entry.from_object_type, ids[0], entry.to_object_type, ids[1])
    try:
        types = lookups.pair_types(client, *ends)
        if len(types.there) != len(types.back):  # somebody has changed it between the two
            types = lookups.pair_types(client, *ends)
        if bool(types.there) != bool(types.back):
            return Look(at, error=ReadError(Answer(Cause.NOT_SHOWN)))
        return Look(at, types)
    except ReadError as error:
        return Look(at, error=error)
    except DBError:
        raise
    except Exception:
        return Look(at, error=unexpected(entry))


def look_at_many(
    client: HubSpotClient, pairs: Sequence[AssociationRequest | BulkRow], *, seconds: float
) -> dict[int, Look]:
    """Look at up to 1,000 pairs of the same two types by two calls, from either end.

    By the ids of rows. Raises ReadError where HubSpot shows nothing at all.
    """
    at, types = timezone.now(), (pairs[0].from_object_type, pairs[0].to_object_type)
    ids = {each.pk: (each.from_object_id, each.to_object_id) for each in pairs}
    ends = [sorted({pair[side] for pair in ids.values()}) for side in (0, 1)]
    there = lookups.links_of_many(client, types[0], ends[0], types[1], seconds=seconds)
    back = lookups.links_of_many(client, types[1], ends[1], types[0], seconds=seconds)
    return {pk: _seen_from(at, there, back, pair) for pk, pair in ids.items()}


def _seen_from(
    at: datetime, there: Mapping[str, Links], back: Mapping[str, Links], pair: Ids
) -> Look:
    try:
        types = PairTypes(
            lookups.types_in(there.get(pair[0]), *pair),
            lookups.types_in(back.get(pair[1]), *pair[::-1]),
        )
    except ReadError as error:
        return Look(at, error=error)
    if bool(types.there) != bool(types.back):  # somebody has changed it between the two
        return Look(at, error=ReadError(Answer(Cause.NOT_SHOWN)))
    return Look(at, types)


def undo(
    *,
    user: "User",
    entry: AssociationRequest,
    reason: str,
    meta: RequestMeta,
    is_still_in: IsStillIn,
) -> AssociationRequest:
    """Take the entry's link back, and return the log entry of that, closed.

    While somebody else is at it, theirs comes back, open. Raises NotUndoableError,
    LogUnavailableError, ThrottledError.
    """
    look = demand_undoable(look_after(entry), user, is_still_in)
    from_id, to_id = entry.ids_left
    own, created = recorder.open_entry(
        user=user,
        meta=meta,
        names=_names_of(entry),
        undoes=entry,
        admit=check_rate_of_submits,
        reason=reason,
        from_object_type=entry.from_object_type,
        from_object_id=from_id,
        to_object_type=entry.to_object_type,
        to_object_id=to_id,
    )
    return send(own, look, is_still_in) if created else own


def demand_undoable(entry: AssociationRequest, user: "User", is_still_in: IsStillIn) -> Look:
    """Look at the pair, unless the log alone says no. Raises NotUndoableError, ThrottledError.

    And LogUnavailableError, where the log cannot be read.
    """
    try:
        bar = bar_of(entry, user)
        check_looks(user)
    except DBError as error:
        logger.exception("the log could not be read")
        raise LogUnavailableError from error
    if bar:
        raise NotUndoableError(bar)
    look = look_at(entry, clients.interactive().on_behalf(is_still_in))
    if look.bar:
        raise NotUndoableError(look.bar, look)
    return look


def _names_of(entry: AssociationRequest) -> SeenNames:
    kept = getattr(entry, "names", None)
    columns = ("from_name", "from_typed", "to_name", "to_typed")
    return SeenNames(**{name: getattr(kept, name, "") for name in columns})


def send(entry: AssociationRequest, look: Look, is_still_in: IsStillIn) -> AssociationRequest:
    """Unlink the entry's pair, of which `look` is one of right now, and close the entry.

    Each call is logged as it ends.
    """
    client = clients.interactive().on_behalf(is_still_in)
    try:
        before, after, answers = _unlink(client, entry, look)
    except DBError:
        # Nobody can say whether they may still act, so nothing more is sent; nor can it be closed.
        logger.exception("it could not be asked who may act", extra={"entry": entry.pk})
        return entry
    answer, seen = ended(before, after, answers)
    return recorder.close_entry(entry, answer, **seen)


def _unlink(
    client: HubSpotClient, entry: AssociationRequest, look: Look
) -> tuple[Look, Look, list[Answer]]:
    """Return the looks before and after the last call, and all answers.

    Each call is made only while nothing but the default type links the pair.
    """
    before, answers, calls = look, list[Answer](), deque(calls_of(entry, look))
    deadline = time.monotonic() + client.limits.total
    while calls and look.bar is None and len(answers) < MOST_CALLS:
        before, seconds = look, max(0.05, deadline - time.monotonic())
        attempt = client.remove_association(**calls[0], seconds=seconds)
        recorder.record_attempt(entry, len(answers) + 1, attempt)
        answers.append(read_removal(attempt))
        look = _look_after(client, entry, answers[-1])
        if answers[-1].cause in ANOTHER_WAY:
            calls.popleft()
        elif look.bar or not _waited(client, attempt, len(answers), deadline):
            break
        else:
            look = look_at(entry, client)
    return before, look, answers


def _waited(client: HubSpotClient, attempt: Attempt, attempts: int, deadline: float) -> bool:
    """Whether the same call is to be made again, and it is time for that now."""
    answer = read_removal(attempt)
    # One that this site did not let through has waited for its turn already.
    if not answer.verdict.retried or attempt.failure is Cause.RATE_LIMITED:
        return False
    pause = client.pause_before_next(attempt, attempts)
    if time.monotonic() + pause >= deadline:
        return False
    time.sleep(pause)
    return True


def calls_of(entry: AssociationRequest, look: Look) -> Iterator[dict[str, Any]]:
    """By the type, from one end and from the other; if that does not help, all of the pair."""
    from_id, to_id = entry.ids_left
    there = entry.from_object_type, from_id, entry.to_object_type, to_id
    if look.types and look.bar is None:
        for ends, types in ((there, look.types.there), (there[2:] + there[:2], look.types.back)):
            if types[0].type_id and types[0].category:
                yield dict(zip(OF_PAIR, ends, strict=True)) | {
                    "type_": (types[0].category, types[0].type_id)
                }
    yield dict(zip(OF_PAIR, there, strict=True))


def _look_after(client: HubSpotClient, entry: AssociationRequest, answer: Answer) -> Look:
    """Look what has become of it: once more where HubSpot may lag behind its own answer.

    A record that was merged meanwhile is looked at by the id that it has now.
    """
    look = look_at(entry, client)
    if answer.cause is Cause.NOT_SEEN_GONE and look.bar in (None, Bar.NOT_ALONE):
        time.sleep(PAUSE)
        look = look_at(entry, client)
    if look.bar is Bar.MERGED:
        try:
            return _look(client, entry, ids_left(client, entry))
        except ReadError as error:
            return Look(look.at, error=error)
    return look


def ended(before: Look, after: Look, answers: list[Answer]) -> tuple[Answer, dict[str, Any]]:
    """Return what it came to, and what the entry keeps of the looks."""
    if not answers:
        return Answer(_NOT_SENT[after.bar or Bar.NOT_SEEN]), {
            "links_before": before.column,
            "unverified_cause": _cause_of(before),
        }
    return _told(answers, after), {
        # After a crash a call may have been made before it.
        "links_before": before.column if before.bar is None else {},
        "links_after": after.column,
        "verified": after.is_gone if after.types else None,
        "verified_at": after.at if after.types else None,
        "unverified_cause": _cause_of(after),
    }


_NOT_SENT = {
    Bar.GONE: Cause.ALREADY_GONE,
    Bar.NOT_ALONE: Cause.NOT_ALONE,
    Bar.MERGED: Cause.MERGED,
    Bar.NOT_SEEN: Cause.NOT_SEEN_ALONE,
}


def _cause_of(look: Look) -> str:
    return look.error.cause if look.error else ""


def _told(answers: list[Answer], after: Look) -> Answer:
    """What the look after it makes of HubSpot's answers.

    The last one counts; but one that may have removed the link, before one that has not.
    """
    perhaps = [each for each in answers if each.verdict.linked is Linked.PERHAPS]
    said_yes = [each for each in perhaps if each.cause is Cause.NOT_SEEN_GONE]
    answer = [*answers[-1:], *perhaps, *said_yes][-1]
    if after.is_gone and perhaps:
        return replace(answer, cause=Cause.SEEN_GONE)
    if after.types and not after.is_gone and said_yes:
        return replace(answer, cause=Cause.STILL_LINKED)
    return answer


def undo_context(entry: AssociationRequest, user: "User") -> dict[str, Any]:
    """What an entry's page shows: what has undone it, and where it can be, as far as the log says.

    What HubSpot has now is looked at on that page.
    """
    undos = read_rows(entry.undos.for_list())
    # An old entry, as most are, need not be asked about.
    may_be = not (entry.is_open or is_too_late(entry.created_at, user))
    is_offered = may_be and bar_of(entry, user) in (None, Bar.NOT_KNOWN, Bar.ASKED_AGAIN)
    url = reverse("request_undo", args=[entry.pk]) if is_offered else ""
    return {"undos": undos, "undo_url": url}
