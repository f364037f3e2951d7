"""Entries of the form: opened before anything is sent, closed once by what was answered."""

import base64
import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import Error as DBError
from django.db import IntegrityError
from django.db.models import Q
from django.utils import timezone

from associations.audit import events, spool
from associations.audit.integrity.names import HANDED_ON, erased_since
from associations.audit.recorder.base import (
    LogUnavailableError,
    RequestMeta,
    close,
    demanded,
    new_attempt,
    retry,
)
from associations.audit.recorder.kept import keep
from associations.db import insert
from associations.hubspot.answers import Answer, Attempt
from associations.hubspot.outcomes import Outcome
from associations.hubspot.record_references import SIDES
from associations.hubspot.unseen import visible
from associations.models import (
    OPEN_OUTCOMES,
    AssociationCheck,
    AssociationRequest,
    RecordNames,
    SeenNames,
    name_digest,
    new_salt,
)
from hubadmin.web.outages import note_sent

if TYPE_CHECKING:
    from hubadmin.models import User


logger = logging.getLogger(__name__)

NO_NAMES = SeenNames()


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
        retry(lambda: insert(lambda: _add_attempt(entry, number, attempt)))
    except DBError:
        known = {"entry": entry.pk, "number": number, "http_status": attempt.http_status}
        known["kept"] = keep(spool.Kept(attempt, [entry.pk], number))
        logger.exception("an attempt could not be logged", extra=known)


def _add_attempt(entry: AssociationRequest, number: int, attempt: Attempt) -> None:
    # Locked, so that `late` is exact: the entry cannot be closed between look and insert.
    still_open = AssociationRequest.objects.select_for_update().filter(
        pk=entry.pk, outcome__in=OPEN_OUTCOMES
    )
    new_attempt(entry, number, attempt, late=not still_open.values_list("pk")).save()


def close_entry(
    entry: AssociationRequest, answer: Answer, last: tuple[int, Attempt] | None = None, **seen: Any
) -> AssociationRequest:
    """Close the entry by this answer, unless somebody was first; return it as it now stands.

    `last` is the attempt that brought it, with its number, if that is not in the log yet; `seen`
    are the columns that verification fills. If the log fails now, the entry stays `sending`, and
    what was answered is kept here: read_back() closes the entry by it.
    """

    def write() -> bool:
        is_closed = close(entry, answer, **seen)
        # Where the database went away while it committed, both may be there already.
        if last and (is_closed or not entry.attempts.filter(number=last[0]).exists()):
            new_attempt(entry, *last, late=not is_closed).save(force_insert=True)
        return is_closed

    if last:
        events.record_sent_again(last[0])
    as_it_is = vars(entry).copy()
    try:
        if not retry(lambda: insert(write) if last else write()):
            logger.warning("request was closed already", extra={"entry": entry.pk})
            entry.refresh_from_db()
    except DBError:
        vars(entry).update(as_it_is)
        known = {"entry": entry.pk, "cause": answer.cause, "http_status": answer.http_status}
        known["correlation_id"] = answer.correlation_id
        number, attempt = last or (0, None)
        known["kept"] = keep(spool.Kept(attempt, [entry.pk], number, closes=True))
        logger.exception("the log could not be written after sending", extra=known)
    return entry


def note_look(entry: AssociationRequest, answer: Answer, **seen: Any) -> AssociationRequest:
    """Keep what the look showed that a closed entry waits for; return it as it now stands.

    The answer is told anew, as the look may have shown that a record was merged.
    """
    still_due, finished_at = Q(look_due__isnull=False), entry.finished_at
    seen |= {"look_due": None, "finished_at": finished_at}
    try:
        if not retry(lambda: close(entry, answer, still_due, events.record_looked, **seen)):
            entry.refresh_from_db()  # somebody else has looked
    except DBError:
        logger.exception("a look could not be logged", extra={"entry": entry.pk})
    return entry


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
    with demanded():
        return insert(check)


def record_finding(entry: AssociationRequest, finding: str, **seen: Any) -> AssociationCheck:
    """Keep that the sweep has found an entry's link changed. Part of a transaction."""
    new = partial(AssociationCheck.objects.create, entry=entry, finding=finding)
    return insert(partial(new, checked_at=timezone.now(), **seen))
