"""Four eyes: a run of many pairs is started by somebody else than the person who wants it.

Its person asks, and an admin who has no part in it approves exactly that, or refuses. What was
asked for stands in the log, as an event with the SHA-256 of all that would be sent; so do both
names. The column `approval` is for lists: what counts is the last of these events. It is compared
with the rows in the transaction that starts the run, and with the entries before any is sent.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from associations.audit.recorder import NOWHERE, RequestMeta, record_event
from associations.bulk.enqueueing import rows_to_send
from associations.bulk.errors import NotPossibleError
from associations.bulk.undoing import runs_to_undo
from associations.models import Approval, BulkRun, EventKind, RunState, SecurityEvent, SendMode
from associations.models.events import OF_APPROVALS
from associations.models.readable import first_readable
from hubadmin.models import Role
from hubadmin.web.access import may_act

if TYPE_CHECKING:
    from hubadmin.models import User

A_DAY = timedelta(hours=24)  # within which runs without an approval count together
# A request from so far ahead was made before the clock was set back: nobody knows how old it is.
CLOCKS_DIFFER = timedelta(minutes=5)
ROWS_AT_ONCE = 2_000
_COLUMNS = ("from_object_type", "from_object_id", "to_object_type", "to_object_id", "reason")
_ENDS = (
    *(EventKind.RUN_APPROVAL_REFUSED, EventKind.RUN_APPROVAL_EXPIRED),
    EventKind.RUN_APPROVAL_VOID,
)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


# --- which runs -----------------------------------------------------------------------------------


def is_on() -> bool:
    return settings.BULK_APPROVAL_ROWS > 0


def is_needed(run: BulkRun, pairs: int) -> bool:
    """Whether somebody else has to approve the run, if so many pairs of it are to be sent.

    Whoever divides a file comes no further: what a person has started within a day counts together.
    Nor does whoever goes on with a large run, or undoes it, however little of it is left.
    """
    if not is_on():
        return False
    limit = settings.BULK_APPROVAL_ROWS
    before = [*_earlier(run), *filter(None, [run.undoes])]
    return pairs + started_lately(run.user_id) > limit or any(
        each.approval == Approval.APPROVED or each.pairs > limit for each in before
    )


def started_lately(user_id: int) -> int:
    """How many pairs this person has sent by runs within a day, without an approval."""
    runs = BulkRun.objects.filter(user=user_id, started_at__gt=timezone.now() - A_DAY)
    return sum(_sent_by(run) for run in runs.exclude(approval=Approval.APPROVED))


def _sent_by(run: BulkRun) -> int:
    return run.sent if run.state == RunState.CANCELED else run.pairs


def _earlier(run: BulkRun) -> Iterator[BulkRun]:
    """The runs of which it has what failed or was left: the last one first."""
    while earlier := run.retry_of:
        yield earlier
        run = earlier


# --- whose eyes -----------------------------------------------------------------------------------


def may_judge(user: "User", run: BulkRun) -> bool:
    """Whether this person may approve or refuse the run: an admin, and none of it is theirs.

    Nor may it be an earlier account's with the same address, which may be the same person. What a
    run undoes is part of it: whoever has linked it does not judge whether it goes.
    """
    if not user.is_admin:
        return False
    for each in _runs_behind(run):
        told = {_folded(each.user_email), _folded(each.user.email)} - {""}
        if each.user_id == user.pk or _folded(user.email) in told:
            return False
    return True


def _runs_behind(run: BulkRun) -> Iterator[BulkRun]:
    """The run, those that it goes on with, and those whose links it takes back."""
    yield from (run, *_earlier(run))
    if run.undoes:
        yield from _earlier(run.undoes)
        runs = BulkRun.objects.filter(pk__in=runs_to_undo(run.undoes, run.user))
        yield from runs.select_related("user")


def _folded(address: str) -> str:
    return address.strip().casefold()


def lock_person(user: "User") -> None:
    """Part of a transaction, in which nobody else starts a run or asks in this person's name."""
    if is_on():
        get_user_model().objects.select_for_update(no_key=True).get(pk=user.pk)


# --- what is approved -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Staged:
    """What would be sent: how many pairs, and the SHA-256 of all about them."""

    pairs: int
    digest: str


def staged(run: BulkRun) -> Staged:
    """Return what a run would send as it stands in the database now."""
    rows = rows_to_send(run).order_by("number")
    return _digest(run, rows.values_list("number", *_columns_of(run)))


def queued(run: BulkRun) -> Staged:
    """The same of a run's entries: if they are those of its rows, it is the same."""
    entries = run.entries.order_by("row_number")
    return _digest(run, entries.values_list("row_number", *_columns_of(run)))


def _columns_of(run: BulkRun) -> tuple[str, ...]:
    """Of a run that undoes another also which entry each row does."""
    return ("undoes_id", *_COLUMNS) if run.undoes_id else _COLUMNS


def as_sent(run: BulkRun, way: SendMode, skip_linked: bool) -> tuple[SendMode, bool]:
    """Return how a run goes out, as it was chosen: undoing has no choice."""
    return (SendMode.SINGLE, False) if run.undoes_id else (way, skip_linked)


def _digest(run: BulkRun, rows: "QuerySet[Any, tuple[Any, ...]]") -> Staged:
    """A line of JSON about the run, and one for each row, in the order of their numbers."""
    about = {"run": run.pk, "user": run.user_id, "way": run.way, "skip_linked": run.skip_linked}
    about |= {"undoes": run.undoes_id} if run.undoes_id else {}
    digest, pairs = hashlib.sha256(_line(about | {"reason": run.reason})), 0
    for *columns, reason in rows.iterator(chunk_size=ROWS_AT_ONCE):
        # A row without a reason has the run's, in the log as well.
        digest.update(_line((*columns, reason or run.reason)))
        pairs += 1
    return Staged(pairs, digest.hexdigest())


def _line(values: object) -> bytes:
    return f"{_encode(values)}\n".encode()


# --- asking ---------------------------------------------------------------------------------------


def ask(
    *, user: "User", run: BulkRun, way: SendMode, skip_linked: bool, meta: RequestMeta = NOWHERE
) -> None:
    """Let the run wait for somebody to approve it, as it was read and is to be sent now."""
    expire()  # an earlier request may be over, and no worker there to say so
    with transaction.atomic():
        lock_person(user)
        found = BulkRun.objects.select_for_update().filter(
            pk=run.pk, user=user, read_at=run.read_at, state=RunState.READY
        )
        locked = found.exclude(approval=Approval.ASKED).first()
        if not locked or not may_act(user.pk):
            raise NotPossibleError
        way, skip_linked = as_sent(locked, way, skip_linked)
        locked.way, locked.skip_linked = way, skip_linked
        what = staged(locked)
        if not what.pairs or not is_needed(locked, what.pairs):
            raise NotPossibleError
        chosen = {"way": way, "skip_linked": skip_linked}
        facts = {"pairs": what.pairs, "digest": what.digest} | chosen
        asked = EventKind.RUN_APPROVAL_ASKED
        event = record_event(asked, user=user, run=locked, meta=meta, **facts)
        found.update(approval=Approval.ASKED, asked_at=event.at, **chosen)
    run.refresh_from_db()


def withdraw(*, user: "User", run: BulkRun, meta: RequestMeta = NOWHERE) -> None:
    """Take the request back, so that something else can be chosen."""
    with transaction.atomic():
        found = BulkRun.objects.asked_for().filter(pk=run.pk, user=user)
        if not found.update(approval="", asked_at=None):
            raise NotPossibleError
        record_event(EventKind.RUN_APPROVAL_WITHDRAWN, user=user, run=run, meta=meta)
    run.refresh_from_db()


def void(run: BulkRun, *, why: str, user: "User | None" = None) -> None:
    """End a request, if there is one: what would be sent is about to change."""
    _end(run, Approval.VOID, EventKind.RUN_APPROVAL_VOID, user=user, why=why)


def expire() -> None:
    """End the requests that nobody has answered in time."""
    now = timezone.now()
    in_time = Q(asked_at__gt=now - _lasts(), asked_at__lte=now + CLOCKS_DIFFER)
    late = BulkRun.objects.asked_for().exclude(in_time)
    for run in late:
        _end(run, Approval.EXPIRED, EventKind.RUN_APPROVAL_EXPIRED, found=late)


def _end(
    run: BulkRun,
    approval: Approval,
    what: EventKind,
    *,
    user: "User | None" = None,
    meta: RequestMeta = NOWHERE,
    found: QuerySet[BulkRun] | None = None,
    **facts: Any,
) -> None:
    waiting = BulkRun.objects.asked_for() if found is None else found
    with transaction.atomic():
        if waiting.filter(pk=run.pk).update(approval=approval, asked_at=None):
            record_event(what, user=user, run=run, meta=meta, **facts)


def _lasts() -> timedelta:
    return timedelta(hours=settings.BULK_APPROVAL_HOURS)


def _is_in_time(asked_at: datetime) -> bool:
    now = timezone.now()
    return now - _lasts() < asked_at <= now + CLOCKS_DIFFER


# --- answering ------------------------------------------------------------------------------------


def demand_judge(*, user: "User", run: BulkRun, asked: int) -> tuple[BulkRun, SecurityEvent]:
    """Return the run, locked, and the request that this person answers, the event of that id.

    Part of a transaction. Raises NotPossibleError.
    """
    # As they are now, not as they were when their page or this request began; and until the end.
    admins = get_user_model().objects.filter(is_active=True, role=Role.ADMIN)
    judge = admins.select_for_update(no_key=True).filter(pk=user.pk).first()
    locked = BulkRun.objects.asked_for().select_for_update().filter(pk=run.pk).first()
    request = locked and _request(locked)
    if not (judge and locked and request and request.pk == asked):
        raise NotPossibleError
    if not (may_judge(judge, locked) and may_act(locked.user_id)):
        raise NotPossibleError
    return locked, request


def _request(run: BulkRun) -> SecurityEvent | None:
    """What the log has last of the run's approval, if that is a request of its person's."""
    last = run.events.filter(what__in=OF_APPROVALS).order_by("pk").last()
    is_request = last and last.what == EventKind.RUN_APPROVAL_ASKED
    return last if last and is_request and last.user_id == run.user_id else None


def still_holds(
    run: BulkRun, request: SecurityEvent, *, user: "User", meta: RequestMeta = NOWHERE
) -> bool:
    """Whether a request is in time, and about what would be sent now; if not, end it.

    Part of a transaction, in which the run is locked.
    """
    if not _is_in_time(request.at):
        _end(run, Approval.EXPIRED, EventKind.RUN_APPROVAL_EXPIRED)
        return False
    if staged(run).digest != request.facts.get("digest"):
        void = EventKind.RUN_APPROVAL_VOID
        _end(run, Approval.VOID, void, user=user, meta=meta, why="changed")
        return False
    return True


def record_approved(
    run: BulkRun, request: SecurityEvent, *, user: "User", meta: RequestMeta = NOWHERE
) -> None:
    """Log who has approved what of whom; part of the transaction that starts the run."""
    record_event(EventKind.RUN_APPROVED, user=user, run=run, meta=meta, **_about(request))


def refuse(
    *, user: "User", run: BulkRun, asked: int, reason: str, meta: RequestMeta = NOWHERE
) -> None:
    """Answer no to a request; its person may change something, and ask again."""
    with transaction.atomic():
        locked, request = demand_judge(user=user, run=run, asked=asked)
        facts = _about(request) | {"reason": reason}
        refused = EventKind.RUN_APPROVAL_REFUSED
        _end(locked, Approval.REFUSED, refused, user=user, meta=meta, **facts)
    run.refresh_from_db()


def _about(request: SecurityEvent) -> dict[str, Any]:
    whose = {"asked_by": request.user_name, "asked_by_id": request.user_id}
    return whose | {name: request.facts.get(name) for name in ("pairs", "digest")}


def is_as_approved(run: BulkRun) -> bool:
    """Whether the entries of a run are what somebody has approved, if it was started by that."""
    approved = run.events.filter(what=EventKind.RUN_APPROVED).order_by("pk").last()
    return not approved or queued(run).digest == approved.facts.get("digest")


# --- for the pages --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with the approval of a run, for the person who looks at it.

    `asked` is the request that waits, or that led to the start; `ended` is how the last one ended,
    if otherwise. `needs_all` and `needs_rest` tell whether it takes an approval to send all pairs,
    or all but those that are linked already.
    """

    limit: int
    started: int = 0
    needs_all: bool = False
    needs_rest: bool = False
    may_judge: bool = False
    asked: SecurityEvent | None = None
    approved: SecurityEvent | None = None
    ended: SecurityEvent | None = None

    @property
    def until(self) -> datetime | None:
        return self.asked.at + _lasts() if self.asked else None

    @property
    def is_waiting(self) -> bool:
        return self.asked is not None and not self.approved


def standing_of(run: BulkRun, user: "User") -> Standing | None:
    """Return what a run's page tells of its approval; None where it has nothing to tell."""
    if run.state == RunState.READY and is_on():
        return _before_start(run, user)
    if run.approval == Approval.VOID and run.started_at:
        ended = _last(run, (EventKind.RUN_APPROVAL_VOID,))
        return Standing(settings.BULK_APPROVAL_ROWS, ended=ended)
    if run.approval == Approval.APPROVED:
        asked = _last(run, (EventKind.RUN_APPROVAL_ASKED,))
        approved = _last(run, (EventKind.RUN_APPROVED,))
        return Standing(settings.BULK_APPROVAL_ROWS, asked=asked, approved=approved)
    return None


def _before_start(run: BulkRun, user: "User") -> Standing:
    last = _last(run, OF_APPROVALS)
    is_asked = run.approval == Approval.ASKED and last and last.what == EventKind.RUN_APPROVAL_ASKED
    if last and is_asked and _is_in_time(last.at):
        judges = may_judge(user, run)
        return Standing(settings.BULK_APPROVAL_ROWS, asked=last, may_judge=judges)
    # A request that is over by now, and of which no worker has said so yet, is over here as well.
    is_over = last and (is_asked or last.what in _ENDS)
    return Standing(
        settings.BULK_APPROVAL_ROWS,
        started=started_lately(run.user_id),
        needs_all=is_needed(run, run.rows_ready),
        needs_rest=is_needed(run, run.rows_not_linked),
        ended=last if is_over else None,
    )


def _last(run: BulkRun, kinds: Iterable[str]) -> SecurityEvent | None:
    return first_readable(run.events.filter(what__in=kinds).order_by("-pk"))
