"""The only writer of the audit log: entries and all about them, exports, proofs, security events.

An entry is committed before anything is sent for it, and closed once, by a conditional update. What
concerns a run is part of a transaction of the caller's, which began with a hold() of the chunk.
"""

import base64
import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Lock, Thread
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.cache import cache
from django.db import Error as DBError
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from associations.audit import events, spool
from associations.audit.integrity import signing
from associations.audit.integrity.candidates import LONGEST_TRANSACTION
from associations.audit.integrity.names import HANDED_ON, erased_since
from associations.audit.integrity.timestamp_authority import Time
from associations.db import insert, retry_on_outage
from associations.gateway import clients
from associations.hubspot.answers import (
    Answer,
    Attempt,
    merge_attempts,
    read_answer,
    read_removal,
)
from associations.hubspot.outcomes import VERDICTS, Cause, Linked, Outcome, verdict_of
from associations.hubspot.record_references import SIDES
from associations.hubspot.unseen import visible
from associations.models import (
    OPEN_OUTCOMES,
    AssociationAttempt,
    AssociationBatch,
    AssociationCheck,
    AssociationRequest,
    AuditExport,
    AuditSeal,
    AuditTimestamp,
    AuditVerification,
    BulkChunk,
    BulkRow,
    BulkRun,
    EventKind,
    RecordNames,
    SecurityEvent,
    SeenNames,
    SendMode,
    name_digest,
    new_salt,
)
from associations.models.readable import UNREADABLE, demand_value, read_rows, readable_only
from hubadmin.web.client_ip import client_ip
from hubadmin.web.http import AnyHttpRequest, AuthenticatedHttpRequest
from hubadmin.web.outages import note_sent

if TYPE_CHECKING:
    from hubadmin.models import User

logger = logging.getLogger(__name__)

ENTRY_BODY_LENGTH = 64 * 1024  # characters; the attempt has the whole
# Beyond the longest call: for a slow name server, a busy database, clocks that differ.
CLOSING_GRACE = timedelta(minutes=2)
ABANDONED_CLOSED, CLOSED_FOR_SECONDS = "abandoned_closed", 10
FACT_LENGTH = 300
LONGEST_MS = 2**31 - 1  # that a column takes: 24 days
EXPORT_QUERY_LENGTH = AuditExport._meta.get_field("query").max_length or 0

_ENTRY, _ROW = AssociationRequest._meta, BulkRow._meta
# What an entry of a run takes from its row, beside the reason. All else is the same for all.
_FROM_ROW = {
    "from_object_type": "from_object_type",
    "from_object_id": "from_object_id",
    "to_object_type": "to_object_type",
    "to_object_id": "to_object_id",
    "row_number": "number",
    "undoes_id": "undoes_id",
}
# What a row knows of names; the entry has a digest of a side where that has a salt.
_NAMES = [f"{side}_{part}" for side in SIDES for part in ("name", "typed", "salt")]
_DIGEST = {
    "sqlite": "SHA256({0}_salt || CHAR(10) || {0}_name || CHAR(10) || {0}_typed)",
    "postgresql": "encode(sha256(convert_to("
    "{0}_salt || CHR(10) || {0}_name || CHR(10) || {0}_typed, 'UTF8')), 'hex')",
}
# What a batch's answer says of each entry that it closed; its body stays with the batch.
_OF_BATCH = [
    "cause",
    "http_status",
    "status",
    "num_errors",
    "requested_at",
    "started_at",
    "completed_at",
    "correlation_id",
]
# Somebody waits: not for as long as a worker may.
_retry = partial(retry_on_outage, seconds=1.0, atomic=False)


class LogUnavailableError(Exception):
    """The audit log could not be written, so nothing was sent, and no file given."""


@dataclass(frozen=True, slots=True)
class RequestMeta:
    """Where a request came from; the names are columns."""

    client_ip: str | None = None
    user_agent: str = ""
    request_id: str = ""
    client_request_id: str = ""


NO_NAMES = SeenNames()
NOWHERE = RequestMeta()  # where no request asked for it


def request_meta(request: AnyHttpRequest) -> RequestMeta:
    return RequestMeta(
        client_ip=client_ip(request),
        user_agent=visible(request.headers.get("User-Agent", "").replace("\0", ""))[:300],
        request_id=request.id,
        client_request_id=request.client_id,
    )


# --- entries of the form --------------------------------------------------------------------------


def open_entry(
    *,
    user: "User",
    meta: RequestMeta,
    submit_token: str = "",
    names: SeenNames = NO_NAMES,
    undoes: AssociationRequest | None = None,
    was_linked: bool | None = None,
    was_linked_at: datetime | None = None,
    admit: Callable[["User", datetime], None] = lambda user, now: None,
    **fields: Any,
) -> tuple[AssociationRequest, bool]:
    """Commit an entry, `sending`; or return the one that this submit already has, and False.

    So it is with an entry that somebody else is about to undo as well. `admit` may refuse, by
    raising, in the same transaction. Raises LogUnavailableError.
    """
    now = timezone.now()
    key = _submit_key(submit_token, fields)
    entry = AssociationRequest(
        user=user,
        user_name=user.name,
        user_email=user.email,
        api_version=settings.HUBSPOT_API_VERSION,
        outcome=Outcome.SENDING,
        created_at=now,
        sent_at=now,
        submit_key=key,
        undoes=undoes,
        was_linked=was_linked,
        was_linked_at=was_linked_at,
        **asdict(meta),
        **fields,
    )

    def commit() -> None:
        admit(user, now)
        digests, opening = _sealable(_less_erased(names, fields, now))
        for side in SIDES:
            setattr(entry, f"{side}_name_digest", digests.get(f"{side}_name_digest", ""))
        entry.save(force_insert=True)
        if opening:
            RecordNames.objects.create(entry=entry, **opening)

    try:
        insert(commit, durable=True)
    except DBError as error:
        if isinstance(error, IntegrityError) and (first := _first(user, key, undoes)):
            return first, False
        logger.exception("the log could not be written")
        raise LogUnavailableError from error
    except Exception:
        # Who sends the same once more is shown what became of it, whatever `admit` says.
        if first := _entry_of_submit(user, key):
            return first, False
        raise
    note_sent()
    return entry, True


def _less_erased(names: SeenNames, fields: Mapping[str, str], now: datetime) -> SeenNames:
    """Without those that were erased lately: a page that shows them may still be open."""
    if not names or not settings.KEEP_RECORD_NAMES:
        return names
    erased, none = erased_since(now - HANDED_ON), dict[str, str]()
    for side in SIDES:
        if (fields[f"{side}_object_type"], fields[f"{side}_object_id"]) in erased:
            none |= {f"{side}_name": "", f"{side}_typed": ""}
    return replace(names, **none)


def _sealable(names: SeenNames) -> tuple[dict[str, str], dict[str, str]]:
    """The digests that an entry holds in the place of names, and the columns that open them."""
    digests, opening = dict[str, str](), dict[str, str]()
    if not settings.KEEP_RECORD_NAMES:
        return digests, opening
    for side in SIDES:
        told = {
            column: kept_text(getattr(names, column), length)
            for column, length in ((f"{side}_name", 200), (f"{side}_typed", 254))
        }
        if any(told.values()):
            salt = new_salt()
            digests[f"{side}_name_digest"] = name_digest(salt, *told.values())
            opening |= told | {f"{side}_salt": salt}
    return digests, opening


def kept_text(text: str, length: int) -> str:
    """Return what is kept of a name: in one line, and nothing of it hidden."""
    return " ".join(visible(text).split())[:length]


def _submit_key(submit_token: str, fields: dict[str, str]) -> str | None:
    """128 bits, as every byte stands in the table and once more in its largest index."""
    if not submit_token:
        return None
    text = "\0".join([submit_token, *(fields[name] for name in sorted(fields))])
    digest = hashlib.sha256(text.encode()).digest()[:16]
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _entry_of_submit(user: "User", key: str | None) -> AssociationRequest | None:
    return AssociationRequest.objects.filter(user=user, submit_key=key).first() if key else None


def _first(
    user: "User", key: str | None, undoes: AssociationRequest | None
) -> AssociationRequest | None:
    if undoes:
        return undoes.undos.filter(outcome__in=OPEN_OUTCOMES).first()
    return _entry_of_submit(user, key)


def record_attempt(entry: AssociationRequest, number: int, attempt: Attempt) -> None:
    """Log one exchange of an entry's. If that cannot be, it is kept here until it can."""
    events.record_sent_again(number)
    try:
        _retry(lambda: insert(lambda: _add_attempt(entry, number, attempt)))
    except DBError:
        known = {"entry": entry.pk, "number": number, "http_status": attempt.http_status}
        known["kept"] = _keep(spool.Kept(attempt, [entry.pk], number))
        logger.exception("an attempt could not be logged", extra=known)


def _add_attempt(entry: AssociationRequest, number: int, attempt: Attempt) -> None:
    # Locked, so that `late` is exact: the entry cannot be closed between look and insert.
    still_open = AssociationRequest.objects.select_for_update().filter(
        pk=entry.pk, outcome__in=OPEN_OUTCOMES
    )
    _new_attempt(entry, number, attempt, late=not still_open.values_list("pk")).save()


def _new_attempt(
    entry: AssociationRequest, number: int, attempt: Attempt, *, late: bool
) -> AssociationAttempt:
    return AssociationAttempt(request=entry, number=number, late=late, **_exchange(attempt))


def _exchange(attempt: Attempt) -> dict[str, Any]:
    return asdict(attempt) | {"failure": attempt.failure or ""}


def close_entry(
    entry: AssociationRequest,
    answer: Answer,
    last: tuple[int, Attempt] | None = None,
    **seen: Any,
) -> AssociationRequest:
    """Close the entry by this answer, unless somebody was first; return it as it now stands.

    `last` is the attempt that brought it, with its number, if that is not in the log yet; `seen`
    are the columns that verification fills. If the log fails now, the entry stays `sending`, and
    what was answered is kept here: read_back() closes the entry by it.
    """

    def write() -> bool:
        is_closed = _close(entry, answer, **seen)
        # Where the database went away while it committed, both may be there already.
        if last and (is_closed or not entry.attempts.filter(number=last[0]).exists()):
            _new_attempt(entry, *last, late=not is_closed).save(force_insert=True)
        return is_closed

    if last:
        events.record_sent_again(last[0])
    as_it_is = vars(entry).copy()
    try:
        if not _retry(lambda: insert(write) if last else write()):
            logger.warning("request was closed already", extra={"entry": entry.pk})
            entry.refresh_from_db()
    except DBError:
        vars(entry).update(as_it_is)
        known = {"entry": entry.pk, "cause": answer.cause, "http_status": answer.http_status}
        known["correlation_id"] = answer.correlation_id
        number, attempt = last or (0, None)
        known["kept"] = _keep(spool.Kept(attempt, [entry.pk], number, closes=True))
        logger.exception("the log could not be written after sending", extra=known)
    return entry


def note_look(entry: AssociationRequest, answer: Answer, **seen: Any) -> AssociationRequest:
    """Keep what the look showed that a closed entry waits for; return it as it now stands.

    The answer is told anew, as the look may have shown that a record was merged.
    """
    still_due, finished_at = Q(look_due__isnull=False), entry.finished_at
    seen |= {"look_due": None, "finished_at": finished_at}
    try:
        if not _retry(lambda: _close(entry, answer, still_due, events.record_looked, **seen)):
            entry.refresh_from_db()  # somebody else has looked
    except DBError:
        logger.exception("a look could not be logged", extra={"entry": entry.pk})
    return entry


_STILL_OPEN = Q(outcome__in=OPEN_OUTCOMES)


def _close(
    entry: AssociationRequest,
    answer: Answer,
    while_: Q = _STILL_OPEN,
    tell: Callable[[AssociationRequest], None] = events.record_closed,
    **seen: Any,
) -> bool:
    """Close an open entry, and let it take on what was written; false if it was closed before."""
    values = (
        asdict(answer)
        | {
            "body": answer.body[:ENTRY_BODY_LENGTH],
            "outcome": answer.verdict.outcome,
            "finished_at": timezone.now(),
        }
        | seen
    )
    if not AssociationRequest.objects.filter(while_, pk=entry.pk).update(**values):
        return False
    for name, value in values.items():
        setattr(entry, name, value)
    transaction.on_commit(lambda: tell(entry))
    return True


def close_abandoned() -> None:
    """Close what a crash left open, by what its attempts tell, and give up looks nobody made.

    An entry counts as abandoned once it is older than any call can last. A log that cannot be
    written is no reason not to read it: then the entries wait for the next time.
    """
    longest = timedelta(seconds=clients.interactive().limits.total) + CLOSING_GRACE
    abandoned = AssociationRequest.objects.abandoned(timezone.now() - longest)
    unseen = AssociationRequest.objects.look_due(timezone.now() - longest)
    try:
        if _is_left_to_read_back():
            read_back()
        for pk in list(abandoned.values_list("pk", flat=True)):
            _close_if_readable(pk)
        for pk in list(unseen.values_list("pk", flat=True)):
            _give_up_look(pk)
    except DBError:
        logger.exception("abandoned requests could not be closed")


def close_abandoned_now_and_then() -> None:
    """The same before a page is read, but in each process not for every page.

    What was abandoned has been for a minute and more, so a few seconds later is soon enough.
    """
    if _is_left_to_read_back() or cache.add(ABANDONED_CLOSED, True, CLOSED_FOR_SECONDS):
        close_abandoned()


def look_after_log() -> None:
    """Do what is to be done each round, also for the other processes of this machine."""
    try:
        read_back()
    except DBError:
        logger.exception("what HubSpot had answered could not be logged")
    close_abandoned()


def _give_up_look(pk: int) -> None:
    still_due = AssociationRequest.objects.filter(pk=pk, look_due__isnull=False)
    if still_due.update(look_due=None, unverified_cause=Cause.INTERRUPTED):
        for entry in readable_only(read_rows(AssociationRequest.objects.filter(pk=pk))):
            events.record_looked(entry)


def _close_if_readable(pk: int) -> None:
    """One that cannot be read stays open, and keeps no other from being closed."""
    try:
        _close_by_attempts(pk)
    except IntegrityError:
        logger.exception("an abandoned request cannot be closed", extra={"entry": pk})
    except UNREADABLE as error:
        demand_value(error)
        logger.exception("an abandoned request cannot be read", extra={"entry": pk})


def _close_by_attempts(pk: int) -> None:
    with transaction.atomic():
        # Locked, so that no attempt can come in between the look and the closing.
        still_open = AssociationRequest.objects.select_for_update()
        if entry := still_open.filter(pk=pk, outcome=Outcome.SENDING).first():
            answers = answers_of(entry)
            is_last_word = answers and _is_last_word(entry, answers)
            _close(entry, merge_attempts(answers) if is_last_word else Answer(Cause.INTERRUPTED))


def _is_last_word(entry: AssociationRequest, answers: list[Answer]) -> bool:
    """Whether no further attempt may have been under way; of an undo, another kind of call."""
    if entry.undoes_id:
        return answers[-1].cause is Cause.NOT_SEEN_GONE
    tried_enough = len(answers) >= clients.interactive().limits.attempts
    return tried_enough or not answers[-1].verdict.retried


def answers_of(entry: AssociationRequest) -> list[Answer]:
    """What HubSpot has answered to each attempt in the log."""
    if entry.undoes_id:
        return [read_removal(_attempt(row)) for row in entry.attempts.all()]
    ids = {"from_object_id": entry.from_object_id, "to_object_id": entry.to_object_id}
    return [read_answer(_attempt(row), **ids) for row in entry.attempts.all()]


def _attempt(row: AssociationAttempt) -> Attempt:
    return Attempt(
        started_at=row.started_at,
        duration_ms=row.duration_ms,
        http_status=row.http_status,
        headers=row.headers,
        body=row.body,
        body_complete=row.body_complete,
        # Without an answer, a failure that is not known here is read as a lost connection.
        failure=Cause(row.failure) if row.failure in VERDICTS else None,
        detail=row.detail,
        call=row.call,
    )


# --- what HubSpot had answered while the log could not be written ---------------------------------

READ_BACK_SECONDS = 5.0  # between two tries, in the process that keeps something
_reading_back, _trying = Lock(), Lock()


def _keep(kept: spool.Kept) -> bool:
    is_kept = spool.keep(kept)
    if is_kept and _trying.acquire(blocking=False):
        Thread(target=_try_to_read_back, daemon=True).start()
    return is_kept


def _is_left_to_read_back() -> bool:
    """Whether somebody else has to: no page waits for a database that a thread is waiting for."""
    return spool.may_wait() and not _trying.locked()


def _try_to_read_back() -> None:
    """Until it has been: a seal that comes before would show the answer as older than it."""
    try:
        while spool.may_wait():
            time.sleep(READ_BACK_SECONDS)
            try:
                read_back()
            except DBError:
                connection.close()
    finally:
        _trying.release()
        connection.close()


def read_back() -> None:
    """Write into the log what waits on this machine, each once. Raises DBError.

    What an entry that is open waited for closes it; one that was closed meanwhile has a late
    attempt more.
    """
    if not _reading_back.acquire(blocking=False):
        return  # another thread is at it
    try:
        with spool.taken() as waiting:
            for file, kept in waiting:
                _take_back(file, kept)
    finally:
        _reading_back.release()


def _take_back(file: Path, kept: spool.Kept) -> None:
    try:
        with transaction.atomic():
            _write_back(kept)
    except IntegrityError as error:
        spool.put_aside(file, str(error).strip())
        return
    except UNREADABLE as error:
        demand_value(error)
        spool.put_aside(file, repr(error))
        return
    told = {"entries": kept.entries, "number": kept.number, "closes": kept.closes}
    logger.warning("what HubSpot had answered was logged afterwards", extra=told)
    transaction.on_commit(lambda: spool.remove(file))


def _write_back(kept: spool.Kept) -> None:
    """Part of a transaction. Raises ValueError if the log has no place for it."""
    if kept.attempt:
        _demand_in_time(kept.attempt)
    if kept.batch and kept.attempt:
        batch = _add_batch(kept.attempt, **kept.batch)
        requeue(_still_under_way(kept, run=batch.run_id), batch)
        return
    # Locked, so that `late` is exact.
    entry = AssociationRequest.objects.select_for_update().filter(pk__in=kept.entries[:1]).first()
    if entry is None:
        raise ValueError("the log has no such entry")
    if entry.run_id and kept.attempt:
        record_attempts([(entry, kept.attempt)])
        _close_or_requeue(entry, kept)
    elif kept.attempt and not entry.attempts.filter(number=kept.number).exists():
        new = _new_attempt(entry, kept.number, kept.attempt, late=not entry.is_open)
        insert(lambda: new.save(force_insert=True))
    if kept.closes:
        _close_by_attempts(entry.pk)


def _close_or_requeue(entry: AssociationRequest, kept: spool.Kept) -> None:
    """What an answer leaves open the run sends again, as it would have."""
    answer = answers_of(entry)[-1]
    if entry.is_open and answer.cause is Cause.CONFIRMED:
        close_entries(entry.run_id or 0, [(entry, answer)])
    else:
        requeue(_still_under_way(kept, run=entry.run_id or 0))


def _still_under_way(kept: spool.Kept, run: int) -> QuerySet[AssociationRequest]:
    """Those that nobody has sent since."""
    ids, started_at = kept.entries, kept.attempt and kept.attempt.started_at
    entries = AssociationRequest.objects.filter(run=run, pk__range=(ids[0], ids[-1]))
    return entries.filter(outcome=Outcome.SENDING, sent_at__lte=started_at)


def _demand_in_time(attempt: Attempt) -> None:
    """What is much older than the last seal would look dated back, and is for people to judge."""
    sealed_at = AuditSeal.objects.order_by("number").values_list("sealed_at", flat=True).last()
    if sealed_at and attempt.started_at < sealed_at - LONGEST_TRANSACTION + CLOSING_GRACE:
        raise ValueError("the log was sealed long after it")


@contextmanager
def kept_if_away(*rows: tuple[AssociationRequest, Attempt]) -> Iterator[None]:
    """Keep these exchanges of a run on this machine, if the log cannot be written."""
    try:
        yield
    except DBError:
        for entry, attempt in rows:
            _keep(spool.Kept(attempt, [entry.pk]))
        raise


def keep_batch(
    chunk: BulkChunk,
    attempt: Attempt,
    answer: Answer,
    types: tuple[str, str],
    ids: Sequence[int],
) -> None:
    """Keep the exchange with these entries of a chunk on this machine."""
    batch = _columns_of_batch(chunk, answer, types, len(ids))
    _keep(spool.Kept(attempt, [min(ids), max(ids)], batch=batch))


def record_check(
    *, entry: AssociationRequest, user: "User", meta: RequestMeta, **seen: Any
) -> AssociationCheck:
    """Keep what a later look at the entry's records showed. Raises LogUnavailableError."""
    check = partial(
        AssociationCheck.objects.create,
        entry=entry,
        user=user,
        user_name=user.name,
        checked_at=timezone.now(),
        client_ip=meta.client_ip,
        request_id=meta.request_id,
        client_request_id=meta.client_request_id,
        **seen,
    )
    with _demanded():
        return insert(check)


def record_finding(entry: AssociationRequest, finding: str, **seen: Any) -> AssociationCheck:
    """Keep that the sweep has found an entry's link changed. Part of a transaction."""
    new = partial(AssociationCheck.objects.create, entry=entry, finding=finding)
    return insert(partial(new, checked_at=timezone.now(), **seen))


@contextmanager
def _demanded() -> Iterator[None]:
    """What is to be logged here is a condition of what comes next."""
    try:
        yield
    except DBError as error:
        logger.exception("the log could not be written")
        raise LogUnavailableError from error


# --- entries of a run -----------------------------------------------------------------------------


def queue_entries(run: BulkRun, rows: QuerySet[BulkRow]) -> None:
    """Copy staged rows to entries, `queued`, in the order of their numbers, in the database."""
    chosen, params = rows.values("pk").query.sql_with_params()
    copied = _FROM_ROW | (_digests() if settings.KEEP_RECORD_NAMES else {})
    constants = {
        field.column: field.get_db_prep_save(getattr(_entry_of(run), field.attname), connection)
        for field in _ENTRY.concrete_fields
        if field.column and not field.primary_key and field.column not in {*copied, "reason"}
    }
    columns = [*copied, "reason", *constants]
    values = [*copied.values(), "COALESCE(NULLIF(reason, ''), %s)", *["%s"] * len(constants)]
    sql = (
        f"INSERT INTO {_ENTRY.db_table} ({', '.join(columns)}) SELECT {', '.join(values)} "
        f"FROM {_ROW.db_table} WHERE id IN ({chosen}) ORDER BY number"
    )
    if settings.KEEP_RECORD_NAMES:
        _forget_erased(run)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COALESCE(MAX(id), 0) FROM {_ENTRY.db_table}")
        (last,) = cursor.fetchone()
        cursor.execute(sql, [run.reason, *constants.values(), *params])
    if settings.KEEP_RECORD_NAMES:
        _copy_names(run, rows, after=last)


def _forget_erased(run: BulkRun) -> None:
    """Rows may have names that were erased: whoever staged them had read these before."""
    first = run
    while first.retry_of:  # of which this one may have taken on what was staged
        first = first.retry_of
    erased = erased_since(min(first.created_at, timezone.now() - HANDED_ON))
    for object_type, object_id in sorted(erased):
        for side in SIDES:
            record = {f"{side}_object_type": object_type, f"{side}_object_id": object_id}
            named = BulkRow.objects.filter(run=run, **record).exclude(**{f"{side}_salt": ""})
            named.update(**{f"{side}_{part}": "" for part in ("name", "typed", "salt")})


def _digests() -> dict[str, str]:
    """The expressions for what name_digest() returns of a row's sides."""
    digest = _DIGEST[connection.vendor]
    return {
        f"{side}_name_digest": f"CASE {side}_salt WHEN '' THEN '' ELSE {digest.format(side)} END"
        for side in SIDES
    }


def _copy_names(run: BulkRun, rows: QuerySet[BulkRow], *, after: int) -> None:
    """Give the entries of a run with ids after this one the names that open their digests.

    Not in one statement: PostgreSQL knows nothing yet of the rows of a run that has just come, and
    looks for each among all of them.
    """
    entries = AssociationRequest.objects.filter(run=run, pk__gt=after)
    pks = dict(entries.values_list("row_number", "pk"))
    kept = [each for each in rows.values("number", *_NAMES) if each["from_salt"] or each["to_salt"]]
    RecordNames.objects.bulk_create(
        RecordNames(entry_id=pks[each.pop("number")], **each) for each in kept
    )


def _entry_of(run: BulkRun) -> AssociationRequest:
    return AssociationRequest(
        run=run,
        user_id=run.user_id,
        user_name=run.user_name,
        user_email=run.user_email,
        client_ip=run.client_ip,
        user_agent=run.user_agent,
        request_id=run.request_id,
        client_request_id=run.client_request_id,
        api_version=settings.HUBSPOT_API_VERSION,
        outcome=Outcome.QUEUED,
        created_at=timezone.now(),
    )


def mark_as_sending(entries: QuerySet[AssociationRequest]) -> None:
    entries.filter(outcome__in=OPEN_OUTCOMES).update(
        outcome=Outcome.SENDING, sent_at=timezone.now()
    )


def requeue(entries: QuerySet[AssociationRequest], batch: AssociationBatch | None = None) -> None:
    """Let them wait for another turn. That they were sent before stays in `sent_at`.

    A batch that may have linked some of them is kept, so that the doubt is.
    """
    verdict = verdict_of(batch.cause) if batch else None
    in_doubt = batch is not None and (verdict is None or verdict.linked is not Linked.NO)
    went_with = {"batch": batch} if in_doubt else {}
    under_way = entries.filter(outcome=Outcome.SENDING)
    put_back = under_way.update(outcome=Outcome.QUEUED, **went_with)
    transaction.on_commit(lambda: events.record_requeued(put_back))


def requeue_interrupted(chunk: BulkChunk) -> None:
    """Put back what somebody had under way who came to no end: HubSpot may have linked it.

    An exchange that was interrupted stands in the log for each, so that no later "no" of HubSpot's
    hides that an earlier call may have made the link.
    """
    under_way = chunk.entries.filter(outcome=Outcome.SENDING)
    if not under_way.exists():
        return
    read_back()  # what this machine knows of them
    left = list(under_way.order_by("pk"))
    # One that is under way has been sent; the type does not say so.
    sent = [(entry, entry.sent_at) for entry in left if entry.sent_at]
    if not sent:
        return
    if chunk.way == SendMode.BATCH:
        types = (left[0].from_object_type, left[0].to_object_type)
        attempt = _interrupted(min(at for _, at in sent))
        batch = record_batch(chunk, attempt, Answer(Cause.INTERRUPTED), types, len(left))
        requeue(under_way, batch)
    else:
        record_attempts((entry, _interrupted(at)) for entry, at in sent)
        requeue(under_way)


def _interrupted(sent_at: datetime) -> Attempt:
    duration = max(0.0, (timezone.now() - sent_at).total_seconds())
    # Workers may have been away for longer than the column can say.
    milliseconds = min(round(duration * 1000), LONGEST_MS)
    return Attempt(sent_at, milliseconds, failure=Cause.INTERRUPTED)


def record_batch(
    chunk: BulkChunk, attempt: Attempt, answer: Answer, types: tuple[str, str], inputs: int
) -> AssociationBatch:
    """Keep an exchange; the same one a second time is what it was."""
    return _add_batch(attempt, **_columns_of_batch(chunk, answer, types, inputs))


def _columns_of_batch(
    chunk: BulkChunk, answer: Answer, types: tuple[str, str], inputs: int
) -> dict[str, Any]:
    """Those that are not of the exchange itself."""
    run, cause = chunk.run_id, str(answer.cause)
    sides = {"from_object_type": types[0], "to_object_type": types[1]}
    return sides | {"run_id": run, "inputs": inputs, "cause": cause}


def _add_batch(attempt: Attempt, *, cause: str, **columns: Any) -> AssociationBatch:
    values = _exchange(attempt)
    batch, _ = AssociationBatch.objects.get_or_create(
        **columns,
        started_at=values.pop("started_at"),
        duration_ms=values.pop("duration_ms"),
        defaults=values | {"cause": cause},
    )
    return batch


def record_attempts(rows: Iterable[tuple[AssociationRequest, Attempt]]) -> None:
    """Add the attempt that each entry has just had; `late` if it was closed without it.

    One that is there already is not added again: its transaction may have been committed although
    the database could not say so.
    """
    rows = list(rows)
    pks = [entry.pk for entry, _ in rows]
    # Locked, so that `late` and the numbers are exact: nobody closes between look and insert.
    locked = AssociationRequest.objects.select_for_update().filter(pk__in=pks).order_by("pk")
    outcomes = dict(locked.values_list("pk", "outcome"))
    attempts = AssociationAttempt.objects.filter(request__in=pks)
    had = set(attempts.values_list("request_id", "started_at"))
    numbers = Counter(pk for pk, _ in had)
    AssociationAttempt.objects.bulk_create(
        _new_attempt(
            entry, numbers[entry.pk] + 1, attempt, late=outcomes[entry.pk] not in OPEN_OUTCOMES
        )
        for entry, attempt in rows
        if (entry.pk, attempt.started_at) not in had
    )


def close_entries(
    run_id: int,
    answers: Iterable[tuple[AssociationRequest, Answer]],
    seen: Mapping[int, dict[str, Any]] = MappingProxyType({}),
) -> None:
    """Close each entry by its answer; `seen` has what looks showed, by the entry's id."""
    closed: Counter[str] = Counter()
    for entry, answer in answers:
        if _close(entry, answer, **seen.get(entry.pk, {})):
            closed[answer.verdict.outcome] += 1
    _count(run_id, closed)


def close_entries_by_batch(
    chunk: BulkChunk,
    ids: tuple[int, int],
    batch: AssociationBatch,
    answer: Answer,
    merged: Mapping[int, dict[str, str]],
) -> int:
    """Close the entries in this range of ids, which the answer proves all; return how many.

    `merged` has the columns of those few, by id, whose records have other ids than were asked for.
    """
    shared = {name: getattr(answer, name) for name in _OF_BATCH}
    outcome = answer.verdict.outcome
    under_way = chunk.entries.filter(outcome=Outcome.SENDING, pk__range=ids)
    for pk, columns in merged.items():
        under_way.filter(pk=pk).update(**columns)
    closed = under_way.update(**shared, outcome=outcome, batch=batch, finished_at=timezone.now())
    _count(chunk.run_id, {outcome: closed})
    transaction.on_commit(lambda: events.record_batch_closed(batch, ids, answer, closed))
    return closed


def cancel_unsent(chunk: BulkChunk) -> None:
    """Close what was never sent, as canceled."""
    unsent = chunk.open_entries.filter(sent_at=None)
    now = timezone.now()
    canceled = unsent.update(outcome=Outcome.CANCELED, cause=Cause.NOT_SENT, finished_at=now)
    _count(chunk.run_id, {Outcome.CANCELED: canceled})
    run = chunk.run_id
    transaction.on_commit(lambda: events.record_canceled(run, chunk, canceled))


def known_answer(entry: AssociationRequest) -> Answer:
    """Return how an open entry ends that is to be sent no more, by its attempts and its batch."""
    if entry.outcome == Outcome.SENDING:
        return Answer(Cause.INTERRUPTED)
    answers = answers_of(entry)
    known = merge_attempts(answers) if answers else Answer(Cause.NOT_SENT)
    if entry.batch and not known.verdict.settles:
        # A cause that only another version knows says no more than that there was a call.
        return Answer(
            Cause(entry.batch.cause) if verdict_of(entry.batch.cause) else Cause.INTERRUPTED
        )
    return known


def _count(run_id: int, closed: dict[str, int]) -> None:
    added = {str(outcome): F(str(outcome)) + number for outcome, number in closed.items() if number}
    if added:
        BulkRun.objects.filter(pk=run_id).update(**added)


# --- exports --------------------------------------------------------------------------------------


def open_export(*, user: "User", file_format: str, query: str, meta: RequestMeta) -> AuditExport:
    """Log that somebody begins to take a copy of what `query` finds, which has to fit in whole.

    Raises LogUnavailableError.
    """
    export = partial(
        AuditExport.objects.create,
        user=user,
        user_name=user.name,
        format=file_format,
        query=query,
        started_at=timezone.now(),
        client_ip=meta.client_ip,
        request_id=meta.request_id,
        client_request_id=meta.client_request_id,
    )
    with _demanded():
        return insert(export)


def close_export(export: AuditExport, *, state: AuditExport.State, rows: int) -> None:
    """Log how it ended. One that a crash cut off stays as it is: it never ended."""
    still_open = AuditExport.objects.filter(pk=export.pk, finished_at=None)
    values = {"state": state, "rows": rows, "finished_at": timezone.now()}
    # It may be what ended the export that the database is away.
    _retry(lambda: still_open.update(**values))
    events.record_exported(export, state, rows)


# --- security events ------------------------------------------------------------------------------


def record_event(
    what: str,
    *,
    user: "User | None" = None,
    run: BulkRun | None = None,
    meta: RequestMeta = NOWHERE,
    **facts: Any,
) -> SecurityEvent:
    """Log that something happened; where it is part of a transaction, that holds for both."""
    whose = {"user_name": user.name, "user_email": user.email, "role": user.role} if user else {}
    if run and run.undoes_id:
        facts["undoes"] = run.undoes_id
    new = partial(
        SecurityEvent.objects.create,
        at=timezone.now(),
        what=what,
        user=user,
        run=run,
        facts={name: _fact(value) for name, value in facts.items()},
        **whose,
        **asdict(meta),
    )
    event = insert(new)  # if it fails, the caller's transaction is still good
    transaction.on_commit(lambda: events.record_security_event(event))
    transaction.on_commit(lambda: events.record_run_event(event))
    return event


def record_download(
    request: AuthenticatedHttpRequest, file: str, *, run: BulkRun | None = None, **facts: Any
) -> None:
    """Log that somebody takes a file, before they have any of it; HEAD gives none.

    Raises LogUnavailableError.
    """
    if request.method == "GET":
        meta, what = request_meta(request), EventKind.DOWNLOADED
        with _demanded():
            record_event(what, user=request.user, run=run, meta=meta, file=file, **facts)


def record_search(
    *, user: "User", meta: RequestMeta, how: str, types: list[str], hits: int
) -> None:
    """Log that somebody has searched HubSpot, before they see what was found; never the words.

    Raises LogUnavailableError.
    """
    what = EventKind.RECORDS_SEARCHED
    with _demanded():
        record_event(what, user=user, meta=meta, how=how, types=types, hits=hits)


def _fact(value: Any) -> Any:
    """Foreign text, cut, and what cannot be seen by its name: no database takes all of it."""
    return visible(value)[:FACT_LENGTH] if isinstance(value, str) else value


# --- proofs ---------------------------------------------------------------------------------------


def record_verification(**found: Any) -> AuditVerification:
    """Keep what a run through the log has found, signed where the signing key is."""
    verification = AuditVerification(finished_at=timezone.now(), **found)
    if settings.AUDIT_SIGNING_KEY:
        verification.signature = signing.sign(verification.statement)
    insert(lambda: verification.save(force_insert=True))
    return verification


def record_timestamp(seal: AuditSeal, answer: bytes, told: Time, asked_at: datetime) -> None:
    """Keep what an authority has answered about a seal. Raises SigningKeyError."""
    row = AuditTimestamp(
        asked_at=asked_at,
        seal=seal.number,
        head=seal.head,
        told_at=told.at,
        policy=told.policy,
        serial=told.serial,
        token=base64.b64encode(answer).decode(),
    )
    row.signature = signing.sign(row.statement)
    insert(lambda: row.save(force_insert=True))
