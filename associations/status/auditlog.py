"""Whether the audit log is sealed, guarded, and without entries that nobody closes."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext, ngettext

from associations.audit import spool
from associations.audit.integrity import id_ranges, signing, timestamps, triggers
from associations.audit.integrity.candidates import NAMED, find_unreadable
from associations.audit.integrity.chain_verification import TamperedError, check_seal
from associations.audit.integrity.manifest import Coverage, ManifestError, read
from associations.audit.integrity.strangers import find_strangers
from associations.audit.integrity.verifications import newest_results
from associations.audit.recorder import CLOSING_GRACE
from associations.gateway import clients
from associations.models import (
    OPEN_OUTCOMES,
    AssociationRequest,
    AuditSeal,
    AuditVerification,
    NoticeEvent,
    Sealer,
)
from associations.models.readable import UnreadableRow, read_rows, readable_only, with_readable
from associations.status.report import Item, Level, html, two_sentences
from associations.texts.labels import time_of

LONGEST_WAIT = timedelta(minutes=15)  # for a seal, of which there is one a minute
# For an authority's answer: it is asked a minute after midnight (UTC), and again and again.
UNANSWERED, TOO_LONG = timedelta(hours=2), timedelta(days=2)
MOST_RANGES = 200  # as many as a database takes in one condition


def log_lines(now: datetime) -> Iterator[Item]:
    seal = last_seal()
    if isinstance(seal, UnreadableRow):
        yield _altered()
    elif problem := _forgery(seal):
        yield problem
    else:
        yield _seal_line(seal)
        yield from _time_lines(now)
        yield from _waiting_lines(seal, now)
        yield from _unreadable_lines(find_unreadable())
    yield from _sealer_lines()
    yield from _verification_lines()
    yield from _stranger_lines(find_strangers())
    yield _trigger_line(triggers.problems())
    yield from spool_lines(spool.waiting())
    longest = timedelta(seconds=clients.interactive().limits.total) + CLOSING_GRACE
    abandoned = AssociationRequest.objects.for_list().abandoned(now - longest)
    if entry := abandoned.order_by("created_at", "id").first():
        yield _abandoned_line(entry)
    else:
        yield _open_line(oldest_open())


def last_seal() -> AuditSeal | UnreadableRow | None:
    return next(iter(read_rows(AuditSeal.objects.reverse()[:1])), None)


def unsealed_since(seal: AuditSeal | None, before: datetime) -> datetime | None:
    """When an entry was closed that still waits for a seal though it was closed before this moment.

    Raises ManifestError, if the last seal was altered.
    """
    coverage = read(seal.manifest).coverage["entry"] if seal else Coverage()
    return _waiting_since(coverage, before)


def oldest_open() -> AssociationRequest | None:
    """Return the entry that has been open for longest, of those that can be read."""
    entries = with_readable(AssociationRequest.objects.for_list()).order_by("created_at", "id")
    # One after the other, as an index has each of them in order.
    parts = [read_rows(entries.filter(outcome=outcome)[:1]) for outcome in OPEN_OUTCOMES]
    found = [entry for part in parts for entry in readable_only(part)]
    return min(found, key=lambda entry: entry.created_at, default=None)


def _seal_line(seal: AuditSeal | None) -> Item:
    if problem := _key_problem():
        advice = gettext(
            "Make a pair of keys with <code>manage.py make_audit_key</code>, and set "
            "<code>AUDIT_SIGNING_KEY</code> where the log is sealed and "
            "<code>AUDIT_PUBLIC_KEYS</code> here."
        )
        return Item(Level.WRONG, problem, html(advice))
    if seal is None:
        return Item(Level.WELL, gettext("Nothing has been sealed yet."))
    text = gettext("The last seal is number {number}, of {moment}. Its head:")
    moment = time_of(seal.sealed_at)
    return Item(Level.WELL, html(text, number=seal.number, moment=moment), codes=(seal.head,))


def _time_lines(now: datetime) -> Iterator[Item]:
    """How old a third party's newest time is, where one is asked for any."""
    if not settings.AUDIT_TSA_URL or _key_problem():
        return
    newest, due = timestamps.newest(), timestamps.due(now)
    if newest is None:
        text = gettext("No third party has told the time of a seal yet.")
    else:
        text = html(
            gettext("A third party told the time of seal {number}: {moment}."),
            number=newest.seal,
            moment=time_of(newest.told_at),
        )
    if due is None or now - due.since < UNANSWERED:
        yield Item(Level.WELL, text)
        return
    waits = gettext("The timestamp authority has been asked for a newer one since {moment}.")
    advice = gettext(
        "The sealer's log says why it does not answer, and the sealer goes on asking. Sealing goes "
        "on meanwhile; after three days <code>manage.py verify_audit_log</code> names the gap."
    )
    level = Level.WRONG if now - due.since >= TOO_LONG else Level.WARNING
    whole = two_sentences(text, html(waits, moment=time_of(due.since)))
    yield Item(level, whole, html(advice))


def _key_problem() -> str:
    try:
        if signing.trusted_keys():
            return ""
    except signing.SigningKeyError:
        return gettext("One of the keys for the seals is no key, so nothing proves the log.")
    return gettext("No key for the seals is configured, so nothing proves the log.")


def _forgery(seal: AuditSeal | None) -> Item | None:
    """What there is to say of a seal that nobody who seals here has made."""
    try:
        if seal and (keys := signing.trusted_keys()):
            read(seal.manifest)
            check_seal(seal, keys)
    except signing.SigningKeyError:
        return None  # the line of the seal tells
    except ManifestError:
        return _altered()
    except TamperedError:
        return _forged()
    return None


def _altered() -> Item:
    text = gettext("The last seal cannot be read: it was altered.")
    advice = gettext("See “Integrity of the log” below for what to do.")
    return Item(Level.WRONG, text, advice, event=NoticeEvent.LOG_ALTERED)


def _forged() -> Item:
    text = gettext(
        "The last seal was altered, or signed with a key that <code>AUDIT_PUBLIC_KEYS</code> does "
        "not name here."
    )
    advice = gettext("See “Integrity of the log” below for what to do.")
    return Item(Level.WRONG, html(text), advice, event=NoticeEvent.LOG_ALTERED)


def _sealer_lines() -> Iterator[Item]:
    """Only where one has been that has not ended in order: cron may seal as well."""
    if Sealer.objects.alive().exists():
        return
    seen = with_readable(Sealer.objects.all(), "seen_at").values_list("seen_at", flat=True)
    if last := seen.order_by("seen_at").last():
        text = gettext("What seals the log was last seen {moment}, and has not ended in order.")
        advice = gettext("Find out why <code>manage.py seal_audit_log --every 60</code> stopped.")
        event = NoticeEvent.SEALER_SILENT
        yield Item(Level.WARNING, html(text, moment=time_of(last)), html(advice), event=event)


def _verification_lines() -> Iterator[Item]:
    """Only where the newest one, signed or not, has not proven the log."""
    try:
        results = newest_results()
    except signing.SigningKeyError:
        return  # another line tells
    failed: list[AuditVerification] = [each for each, _ in results if not each.is_proven]
    if failed:
        text = gettext("The verification of {moment} has not proven the log.")
        advice = gettext("See “Integrity of the log” below for what to do.")
        text = html(text, moment=time_of(failed[-1].finished_at))
        yield Item(Level.WRONG, text, advice, event=NoticeEvent.VERIFICATION_FAILED)


def _waiting_lines(seal: AuditSeal | None, now: datetime) -> Iterator[Item]:
    try:
        waiting = unsealed_since(seal, now - LONGEST_WAIT)
    except ManifestError:
        yield _altered()
        return
    if waiting:
        text = gettext("Closed entries wait for a seal, one of them since {moment}.")
        advice = gettext(
            "Find out whether <code>manage.py seal_audit_log --every 60</code> runs, and what it "
            "logs. What is not sealed could be altered unnoticed."
        )
        text, event = html(text, moment=time_of(waiting)), NoticeEvent.SEAL_LATE
        yield Item(Level.WRONG, text, html(advice), event=event)


def _waiting_since(coverage: Coverage, before: datetime) -> datetime | None:
    """When an entry was closed that still waits though it was closed before this moment."""
    closed = with_readable(AssociationRequest.objects.closed(), "finished_at")
    late = closed.filter(finished_at__lt=before)
    # Apart, as a database may go through the whole log for one or the other.
    old = late.filter(id_ranges.condition(coverage.waiting[:MOST_RANGES]))
    new = late.filter(pk__gt=coverage.high).order_by("pk")
    found = [each.values_list("finished_at", flat=True)[:1] for each in (old, new)]
    return min((moment for part in found for moment in part if moment), default=None)


def _unreadable_lines(names: list[str]) -> Iterator[Item]:
    if names:
        text = gettext("Rows of the log cannot be read, and so not be sealed:")
        advice = gettext("hubadmin has not written them so. Find out who did.")
        yield Item(Level.WRONG, text, advice, tuple(names[:NAMED]), NoticeEvent.LOG_ALTERED)


def _stranger_lines(names: list[str]) -> Iterator[Item]:
    if names:
        text = gettext("Something that is not hubadmin's acts on the log's tables:")
        advice = gettext("It may change what is yet to be written. Find out who made it.")
        yield Item(Level.WRONG, text, advice, tuple(names[:NAMED]), NoticeEvent.LOG_ALTERED)


def _trigger_line(problems: list[str]) -> Item:
    if not problems:
        return Item(Level.WELL, gettext("The database keeps the log as it was written."))
    text = gettext("The database does not protect the log: triggers are missing or were changed.")
    advice = gettext(
        "<code>manage.py migrate</code> installs them again. Find out who took them off, and "
        "verify the log with <code>manage.py verify_audit_log</code>."
    )
    return Item(Level.WRONG, text, html(advice), tuple(problems), NoticeEvent.LOG_ALTERED)


def spool_lines(waiting: spool.Waiting) -> Iterator[Item]:
    """What this machine keeps of HubSpot's answers, for which the log could not be written."""
    if waiting.aside:
        text = ngettext(
            "{count} answer of HubSpot that this machine kept cannot be used for the log.",
            "{count} answers of HubSpot that this machine kept cannot be used for the log.",
            waiting.aside,
        )
        advice = gettext(
            "See the server's log for why, and the file for what HubSpot said. Delete it once "
            "nobody needs it any more."
        )
        named = (f"{spool.folder()}/*{spool.ASIDE}",)
        yield Item(Level.WRONG, html(text, count=waiting.aside), advice, named)
    if waiting.is_full:
        text = gettext("This machine keeps no further answers of HubSpot: there is no more room.")
        yield Item(Level.WRONG, text, codes=(str(spool.folder()),))
    if waiting.files:
        text = ngettext(
            "{count} answer of HubSpot waits on this machine for the log.",
            "{count} answers of HubSpot wait on this machine for the log.",
            waiting.files,
        )
        advice = gettext(
            "They are logged within seconds once the database can be written, by the process that "
            "had them, by a worker or by <code>manage.py seal_audit_log</code> of this machine."
        )
        yield Item(Level.WARNING, html(text, count=waiting.files), html(advice))


def _open_line(entry: AssociationRequest | None) -> Item:
    if entry is None:
        return Item(Level.WELL, gettext("No entry is open."))
    if entry.run_id is None:
        text = gettext('<a href="{url}">Entry {number}</a> is under way, since {moment}.')
        return Item(Level.WELL, html(text, **_facts(entry)))
    # However long: how its run fares stands with the runs, and no row of it is lost.
    text = gettext(
        '<a href="{url}">Entry {number}</a> of {moment} waits for its turn in bulk run {run}, or '
        "for its answer."
    )
    return Item(Level.WELL, html(text, **_facts(entry), run=entry.run_id))


def _facts(entry: AssociationRequest) -> dict[str, object]:
    moment = time_of(entry.created_at)
    return {"url": entry.get_absolute_url(), "number": entry.pk, "moment": moment}


def _abandoned_line(entry: AssociationRequest) -> Item:
    text = gettext(
        '<a href="{url}">Entry {number}</a> has been open since {moment}, longer than any call '
        "can last: its process has ended."
    )
    advice = gettext(
        "<code>manage.py seal_audit_log --every 60</code> closes such entries by what is known of "
        "them, and so does whoever opens the audit log. Find out whether it runs."
    )
    return Item(Level.WARNING, html(text, **_facts(entry)), html(advice))
