"""What people do with a run. Each changes its state only if that still allows it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from associations.audit.recorder import NOWHERE, RequestMeta, record_event
from associations.bulk import allowance, approval, mapping, undoing
from associations.bulk.enqueueing import rows_to_send
from associations.bulk.errors import ApprovalNeededError
from associations.bulk.errors import NotPossibleError as NotPossibleError
from associations.bulk.files.rows import RowReason
from associations.bulk.resolving import OLD
from associations.bulk.staging import to_try_again
from associations.hubspot.unseen import visible
from associations.models import (
    Approval,
    BulkKey,
    BulkRun,
    BulkUpload,
    EventKind,
    RowState,
    RunState,
    SendMode,
)
from associations.models.bulk import ENDED, NOT_STARTED
from associations.models.readable import with_readable
from hubadmin.web.access import may_act
from hubadmin.web.outages import note_sent

if TYPE_CHECKING:
    from hubadmin.models import User


def create(
    *,
    user: "User",
    meta: RequestMeta,
    name: str,
    parts: Iterable[bytes],
    way: SendMode,
    reason: str = "",
    from_object_type: str = "",
    to_object_type: str = "",
) -> BulkRun:
    """Keep a file, given in parts, and have its dry run begin. Types in canonical form.

    Raises UsedUpError before it takes the first part.
    """
    with transaction.atomic():
        allowance.demand(user)
        run = _create(
            user=user,
            meta=meta,
            name=visible(name)[-200:],
            way=way,
            reason=reason,
            from_object_type=from_object_type,
            to_object_type=to_object_type,
        )
        for number, part in enumerate(parts, 1):
            BulkUpload.objects.create(run=run, number=number, content=part)
            run.size += len(part)
        run.save(update_fields=["size"])
    return run


def retry(*, user: "User", meta: RequestMeta, run: BulkRun) -> BulkRun:
    """Have the rows of an ended run that failed go through a dry run of their own.

    Only once at a time, or two runs would send the same rows. Raises UsedUpError.
    """
    with transaction.atomic():
        allowance.demand(user)
        count = to_try_again(run.pk).count() if run.state in ENDED and run.failed else 0
        if not count or is_tried_again(run):
            raise NotPossibleError
        if count == run.failed and not run.rows_invalid:
            mark_attended(user=user, run=run)
        return _create(user=user, meta=meta, retry_of=run, reason=run.reason, **_same(run))


def undo(*, user: "User", meta: RequestMeta, run: BulkRun, reason: str) -> BulkRun:
    """Have what an ended run has linked go through a dry run that tells what can be undone.

    Only once at a time. Raises UsedUpError.
    """
    with transaction.atomic():
        allowance.demand(user)
        locked = BulkRun.objects.visible_to(user).select_for_update().filter(pk=run.pk).first()
        if not (locked and undoing.can_be_undone(locked, user)):
            raise NotPossibleError
        same = _same(locked) | {"way": SendMode.SINGLE, "undoes": locked}
        return _create(user=user, meta=meta, reason=reason, **same)


def _same(run: BulkRun) -> dict[str, object]:
    """What a run has in common with another that goes on with its rows."""
    return {"name": run.name, "way": run.way, "undoes": run.undoes}


# Paused, or not even started; one that somebody has taken over and then left is of these, too.
TAKEN_OVER = {RunState.PAUSED, RunState.READY}


def take_over(*, user: "User", run: BulkRun, meta: RequestMeta = NOWHERE) -> BulkRun:
    """Go on with a run of somebody who may not act any more, in the name of `user`.

    Entries say in whose name they are, and never change: so those that were not sent are closed as
    canceled, and a run of the admin's own has their rows, with a dry run first.
    """
    if may_act(run.user_id):
        raise NotPossibleError
    with transaction.atomic():
        own = _create(user=user, meta=meta, retry_of=run, reason=run.reason, **_same(run))
        event = EventKind.RUN_TAKEN_OVER, user, meta
        _change(run, event, TAKEN_OVER, RunState.CANCELING, stop_cause="", layout={})
        run.uploads.all().delete()  # it was somebody else's, who has left
    return own


def is_tried_again(run: BulkRun) -> bool:
    """Whether a run that does so has not come to its end."""
    return run.retries.exclude(state__in=(*ENDED, RunState.UNREADABLE)).exists()


def _create(*, user: "User", meta: RequestMeta, **fields: object) -> BulkRun:
    run = BulkRun.objects.create(
        user=user,
        user_name=user.name,
        user_email=user.email,
        created_at=timezone.now(),
        **asdict(meta),
        **fields,
    )
    record_event(EventKind.RUN_UPLOADED, user=user, run=run, meta=meta)
    return run


# What is known of a file by reading it; the rows themselves the dry run deletes.
_UNREAD: dict[str, object] = {
    **dict.fromkeys(("rows_read", "rows_invalid", "rows_double", "rows_further"), 0),
    **dict.fromkeys(("rows_looked_up", "rows_linked", "rows_to_choose"), 0),
    "looked_up_to": [],
    "lookup_cause": "",
    "problem": "",
    "problem_facts": {},
    "is_read": False,
    "is_found": False,
    "read_at": None,
    "is_anew": True,
}


def read_anew(
    *, run: BulkRun, meanings: Sequence[str] = (), encoding: str = "", sheet: str = ""
) -> None:
    """Have the file of a run that was not started read again: by these meanings of its columns.

    They are as files/columns.py has them, and no others than the form allows; without any they are
    proposed, as for another sheet.
    """
    types = {name: "" for name in TYPE_FIELDS if _says_type(meanings, name)}
    chosen = {"meanings": list(meanings), "encoding": encoding, "sheet": sheet}
    states = {RunState.READY, RunState.UNREADABLE}
    found = BulkRun.objects.filter(pk=run.pk, state__in=states, retry_of=None)
    with transaction.atomic():
        approval.void(run, why="columns", user=run.user)
        if not found.update(state=RunState.READING, chosen=chosen, approval="", **types, **_UNREAD):
            raise NotPossibleError
        # Looked for once the run is locked: its file may just have been erased.
        if not run.uploads.exists():
            raise NotPossibleError
        # In HubSpot somebody may have put it right, or changed it.
        is_old = Q(is_chosen=False, asked_at__lt=timezone.now() - OLD)
        run.keys.filter(Q(object_id="") | is_old).delete()
    run.refresh_from_db()


def choose(*, run: BulkRun, choices: Mapping[int, str]) -> None:
    """Take a record for each of these keys (key → record's id, empty for none of those on offer).

    The dry run then goes on with their rows. What is no key of the run that waits for a choice, or
    no record on offer, changes nothing.
    """
    with transaction.atomic():
        found = BulkRun.objects.select_for_update().filter(pk=run.pk, state=RunState.READY)
        if not found.filter(read_at=run.read_at).first():
            raise NotPossibleError
        keys = run.keys.filter(pk__in=choices, problem=RowReason.CHOOSE)
        chosen = [key for key in keys if _has_chosen(key, choices[key.pk])]
        if not chosen:
            raise NotPossibleError
        approval.void(run, why="choice", user=run.user)
        BulkKey.objects.bulk_update(chosen, ["object_id", "name", "problem", "is_chosen"])
        waiting = run.rows.filter(state=RowState.INVALID, problem=RowReason.CHOOSE)
        of_keys = waiting.filter(Q(from_key__in=chosen) | Q(to_key__in=chosen))
        rows = of_keys.update(state=RowState.TO_FIND, problem="", problem_field="", facts={})
        found.update(
            state=RunState.READING,
            approval="",
            rows_invalid=F("rows_invalid") - rows,
            rows_to_choose=F("rows_to_choose") - rows,
            is_found=False,
            looked_up_to=[],
            lookup_cause="",
            read_at=None,
        )
    run.refresh_from_db()


def _has_chosen(key: BulkKey, object_id: str) -> bool:
    key.is_chosen = True
    if not object_id:
        key.problem = RowReason.NONE_MEANT
        return True
    names = {each[0]: each[1] for each in key.candidates}
    key.object_id, key.name, key.problem = object_id, names.get(object_id, ""), ""
    return object_id in names


TYPE_FIELDS = ("from_object_type", "to_object_type")


def _says_type(meanings: Sequence[str], name: str) -> bool:
    """Whether the columns say the type themselves, so that none is chosen for all rows."""
    return any(each.startswith(name.replace("_type", "_id:")) for each in meanings)


def start(
    *, user: "User", run: BulkRun, way: SendMode, skip_linked: bool, meta: RequestMeta = NOWHERE
) -> None:
    """Have the rows that are ready written to the log, and then sent: those of this reading.

    Raises ApprovalNeededError where somebody else has to approve that.
    """
    if user.pk != run.user_id or not (run.rows_not_linked if skip_linked else run.rows_ready):
        raise NotPossibleError
    with transaction.atomic():
        approval.lock_person(user)  # or of two runs at once neither would know of the other
        locked = BulkRun.objects.select_for_update().filter(pk=run.pk, read_at=run.read_at).first()
        if not locked:
            raise NotPossibleError  # its file was read anew meanwhile
        if locked.undoes and undoing.is_too_late(locked.undoes, user):
            raise NotPossibleError
        locked.way, locked.skip_linked = approval.as_sent(locked, way, skip_linked)
        if approval.is_on() and approval.is_needed(locked, rows_to_send(locked).count()):
            raise ApprovalNeededError
        _begin(locked, user, meta, approval="", asked_at=None)
    run.refresh_from_db()


def approve(*, user: "User", run: BulkRun, asked: int, meta: RequestMeta = NOWHERE) -> None:
    """Start a run of somebody else's as they have asked for it, by the event of that id."""
    with transaction.atomic():
        locked, request = approval.demand_judge(user=user, run=run, asked=asked)
        if holds := approval.still_holds(locked, request, user=user, meta=meta):
            approval.record_approved(locked, request, user=user, meta=meta)
            _begin(locked, user, meta, approval=Approval.APPROVED)
    run.refresh_from_db()
    if not holds:  # which is kept, so it is told outside of the transaction
        raise NotPossibleError


def _begin(run: BulkRun, user: "User", meta: RequestMeta, **values: object) -> None:
    """Part of a transaction."""
    values |= {"way": run.way, "skip_linked": run.skip_linked, "started_at": timezone.now()}
    event = EventKind.RUN_STARTED, user, meta
    values["layout"] = mapping.how_it_is_read(run)
    _change(run, event, {RunState.READY}, RunState.QUEUEING, **values)
    if not settings.KEEP_RECORD_NAMES:  # which stand in it, more often than not
        run.uploads.all().delete()


def pause(*, user: "User", run: BulkRun, meta: RequestMeta = NOWHERE) -> None:
    """Let nothing more be sent; what is under way ends."""
    event = EventKind.RUN_PAUSED, user, meta
    _change(run, event, {RunState.RUNNING}, RunState.PAUSED, stop_cause="")


def resume(*, user: "User", run: BulkRun, meta: RequestMeta = NOWHERE) -> None:
    """Have it go on where it was. Nobody can for a person who may not act: take_over() is there."""
    if not may_act(run.user_id):
        raise NotPossibleError
    state = RunState.RUNNING if run.queued == run.pairs else RunState.QUEUEING
    event = EventKind.RUN_RESUMED, user, meta
    _change(run, event, {RunState.PAUSED}, state, stop_cause="")


def cancel(*, user: "User", run: BulkRun, meta: RequestMeta = NOWHERE) -> None:
    """Close what was not sent yet as canceled; what is under way ends."""
    begun = {RunState.QUEUEING, RunState.RUNNING, RunState.PAUSED}
    event = EventKind.RUN_CANCELED, user, meta
    _change(run, event, begun, RunState.CANCELING, stop_cause="")


def discard(*, run: BulkRun, user: "User | None" = None, meta: RequestMeta = NOWHERE) -> None:
    """Delete a run that was never started, with all that was uploaded for it."""
    with transaction.atomic():
        found = BulkRun.objects.select_for_update().filter(pk=run.pk, state__in=NOT_STARTED)
        if not found.first():
            raise NotPossibleError
        record_event(EventKind.RUN_DISCARDED, user=user, run=run, meta=meta, name=run.name)
        found.delete()


def mark_seen(*, user: "User", run: BulkRun) -> None:
    """Note that its person has seen that the run has ended."""
    told = with_readable(BulkRun.objects.untold(user).filter(pk=run.pk))
    now = timezone.now()
    # What is not undone is told, and leaves nothing to correct.
    has_left = (run.failed or run.rows_invalid) and not run.undoes_id
    told.update(told_at=now, **({} if has_left else {"attended_at": now}))


def mark_attended(*, user: "User", run: BulkRun) -> None:
    """Note that its person has taken along what an ended run has left to do."""
    BulkRun.objects.filter(pk=run.pk, user=user, state__in=ENDED).update(attended_at=timezone.now())


def _change(
    run: BulkRun,
    event: tuple[EventKind, "User", RequestMeta],
    states: set[RunState],
    state: RunState,
    **values: object,
) -> None:
    what, user, meta = event
    if state in (RunState.QUEUEING, RunState.RUNNING):
        note_sent()  # of a commit that breaks off nobody knows whether it was
    with transaction.atomic():
        found = BulkRun.objects.filter(pk=run.pk, state__in=states)
        if not found.update(state=state, **values):
            raise NotPossibleError
        record_event(what, user=user, run=run, meta=meta)
    run.refresh_from_db()
