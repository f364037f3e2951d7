"""What rows name records by, instead of their ids, is sought in HubSpot: each text once.

An e-mail address names a contact by itself, and so does a domain or a whole name that only one
record has. Nothing is guessed: of anything else somebody chooses, or it stays out. What was found
is written at once, so a worker that dies loses no answer that was paid for.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from associations.bulk.files.errors import FileError, FileReason
from associations.bulk.files.rows import Named, RowReason, shortened
from associations.bulk.leases import asks_for, hold
from associations.bulk.turns import is_quick
from associations.db import retry_on_outage, update_each, write_in_turn
from associations.finding.by_words import MOST_KEYS, PROPERTIES_SECONDS, forms_of
from associations.finding.readings import FREE_MAIL, Kind, domain_of
from associations.gateway import clients, rate_limiter
from associations.gateway.account import display_property
from associations.gateway.cache import cached_lookup
from associations.hubspot.client import HubSpotClient, ReadError
from associations.hubspot.lookups import display_of
from associations.hubspot.object_types import STANDARD
from associations.hubspot.outcomes import Cause
from associations.hubspot.record_references import SIDES, PairReason
from associations.hubspot.schemas import Record
from associations.hubspot.search import (
    MOST_KEYS as KEYS_AT_ONCE,
)
from associations.hubspot.search import (
    find_by_key,
    find_by_values,
    fits_in,
    search,
    search_by_values,
    unique_properties,
)
from associations.models import BulkKey, BulkRow, BulkRun, RowState
from associations.models.names import new_salt
from hubadmin.web.access import watch

OLD = timedelta(hours=1)  # so long what was found is taken to be so, when its file is read anew
ROWS_AT_ONCE = 500
MOST_WORDS = 500  # texts of a run that are searched for one by one
MOST_CANDIDATES = 8
MOST_TRIES = 5
PATIENCE = 10.0  # seconds after which HubSpot is asked again
TURN_SECONDS = 1.0  # for searches of which each finds one text
DOMAINS_AT_ONCE = 2  # as text and with www.: a search takes five conditions
_PASSING = {
    *(Cause.RATE_LIMITED, Cause.LOCKED, Cause.MIGRATING, Cause.HUBSPOT_ERROR, Cause.HUBSPOT_DOWN),
    *(Cause.TIMED_OUT, Cause.CONNECTION_LOST, Cause.NO_CONNECTION, Cause.UNREADABLE),
}
_IS_READ = Q(kind=Kind.KEY) | Q(kind=Kind.EMAIL, object_type="contacts")
_WORDS = (Kind.NAME, Kind.PHONE)
ALIKE = ("object_type", "kind", "property_name")  # such keys are asked for in one call
_Found = dict[str, list[Record]]


class NotNowError(Exception):
    """HubSpot does not answer at the moment; it is asked again in a while."""


class Answered(NamedTuple):
    """The records that a text may mean; whether one alone is certain to be it."""

    records: Sequence[Record] = ()
    is_exact: bool = True
    total: int = 0


def keys_for(run: BulkRun, wanted: Iterable[Named]) -> dict[Named, BulkKey]:
    """Return the key of each; those that the run has not yet are made. Part of a transaction."""
    wanted = set(wanted)
    if not wanted:
        return {}
    keys = [BulkKey(run=run, **each._asdict()) for each in sorted(wanted)]
    BulkKey.objects.bulk_create(keys, ignore_conflicts=True)
    texts = {each.text for each in wanted}
    found = run.keys.filter(text__in=texts)
    return {
        Named(key.object_type, Kind(key.kind), key.text, key.property_name): key for key in found
    }


def ask(
    run: BulkRun, like: BulkKey, texts: Sequence[str], *, again: bool = False
) -> dict[str, Answered]:
    """Return what HubSpot has under these texts, at most KEYS_AT_ONCE of one kind, by the text.

    `like` is a key of that kind. As many as it comes to in one turn. What was found before is asked
    for `again` however many there were. Raises ReadError, NoSlotError.
    """
    site = _Site(run, is_bounded=not again)
    if like.property_name:
        return _by_property(site, like.object_type, like.property_name, texts)
    return _SEEK[like.kind](site, like.object_type, list(texts))


def find_next(run: BulkRun) -> bool:
    """Ask for the next texts of one kind and type; return False if there are none to ask for.

    Raises LeaseLostError, NoSlotError, NotNowError; FileError once its person may not act any more.
    """
    keys = _next_keys(run)
    if not keys:
        return False
    texts = {key.text: key for key in keys}
    try:
        answers = ask(run, keys[0], list(texts))
    except ReadError as error:
        _react(run, keys, error)
        return True
    for text, answer in answers.items():
        _take(texts[text], answer)
    asked = [texts[text] for text in answers]
    retry_on_outage(lambda: _note(run, asked, timezone.now()))
    return True


def settle_next(run: BulkRun) -> bool:
    """Give the next rows the records that their keys name; return False if there are none.

    Raises LeaseLostError.
    """
    rows = list(run.rows.filter(state=RowState.TO_FIND).order_by("number")[:ROWS_AT_ONCE])
    if not rows:
        return False
    wanted = {getattr(row, f"{side}_key_id") for row in rows for side in SIDES} - {None}
    keys = run.keys.in_bulk(wanted)
    for row in rows:
        _settle(row, keys)
    write_in_turn(lambda: _write(run, rows))
    return True


# --- what is asked next ---------------------------------------------------------------------------


def _next_keys(run: BulkRun) -> list[BulkKey]:
    keys = run.keys.filter(asked_at=None).order_by(*ALIKE, "text")
    # What is read by a key has another limit than searches: neither need wait for the other.
    read, sought = keys.filter(_IS_READ), keys.exclude(_IS_READ)
    is_turn_free = rate_limiter.bulk_search_wait() <= 0
    first = sought.first() or read.first() if is_turn_free else read.first() or sought.first()
    if first is None:
        return []
    return list(keys.filter(**{name: getattr(first, name) for name in ALIKE})[:KEYS_AT_ONCE])


class _Site:
    """Asks HubSpot in the name of a run's person: keys and words have limits of their own."""

    def __init__(self, run: BulkRun, *, is_bounded: bool) -> None:
        self.is_bounded = is_bounded  # by MOST_WORDS
        self.run, self._watched = run, watch(asks_for(run))
        is_look = is_quick(run) and not rate_limiter.look_wait(run.user_id)
        self._keys, self._words = clients.dry_run(quick=is_look), clients.bulk_search()

    @property
    def keys(self) -> HubSpotClient:
        return self._keys.on_behalf(self._watched)

    @property
    def words(self) -> HubSpotClient:
        return self._words.on_behalf(self._watched)


# --- how each kind is sought ----------------------------------------------------------------------


def _by_email(site: _Site, object_type: str, emails: list[str]) -> dict[str, Answered]:
    if object_type == "contacts":
        found = find_by_key(site.keys, object_type, "email", emails)
        return {each: Answered(found.get(each, ())) for each in emails}
    if object_type == "companies":
        # Whose mailbox it is names no company for certain.
        domains = _by_domain(site, object_type, list(dict.fromkeys(map(domain_of, emails))))
        return {
            each: domains[domain_of(each)]._replace(is_exact=False)
            for each in emails
            if domain_of(each) in domains
        }
    return _by_name(site, object_type, emails)


def _by_domain(site: _Site, object_type: str, domains: list[str]) -> dict[str, Answered]:
    if object_type != "companies":
        return _by_words(site, object_type, domains)
    plain = {each: each.removeprefix("www.") for each in domains}
    sought = [each for each in dict.fromkeys(plain.values()) if each not in FREE_MAIL]
    sought = sought[: fits_in("domain", sought)]
    found = find_by_values(site.words, object_type, "domain", sought) if sought else {}
    lost = [each for each in sought if each not in found]
    try:
        found |= _by_further_domains(site, object_type, lost)
    except ReadError:
        if not found:  # else these were paid for
            raise
    known = {*found, *FREE_MAIL}
    return {each: Answered(found.get(name, ())) for each, name in plain.items() if name in known}


def _by_further_domains(site: _Site, object_type: str, domains: list[str]) -> _Found:
    """Companies that have a domain beside their first, or the first one with `www.` before it.

    As many as one comes to within a turn.
    """
    found: _Found = {}
    until = time.monotonic() + TURN_SECONDS
    for start in range(0, len(domains), DOMAINS_AT_ONCE):
        if found and time.monotonic() > until:
            break
        try:
            found |= _of_a_part(site, object_type, domains[start : start + DOMAINS_AT_ONCE])
        except ReadError:
            if found:  # these were paid for
                break
            raise
    return found


def _of_a_part(site: _Site, object_type: str, domains: list[str]) -> _Found:
    found: _Found = {each: [] for each in domains}
    values = [text for each in domains for text in (each, f"www.{each}")]
    try:
        shown = search_by_values(site.words, object_type, "domain", values, limit=100)
    except ReadError as error:
        if error.cause is Cause.REFUSED:
            return found  # HubSpot does not say whether further domains can be searched
        raise
    for each in domains if shown.records else ():  # which of them it was is not said
        one = search_by_values(site.words, object_type, "domain", [each, f"www.{each}"])
        found[each] = list(one.records)
    return found


def _by_name(site: _Site, object_type: str, names: list[str]) -> dict[str, Answered]:
    """A whole name that one record has is that record; else somebody has to choose."""
    shown_by = display_property(object_type)
    found = _by_unique_properties(site, object_type, names)
    properties = display_of(object_type, shown_by).names
    left = [each for each in names if each not in found]
    if len(properties) == 1 and left:
        left = left[: fits_in(properties[0], left)]
        found |= find_by_values(site.words, object_type, properties[0], left, shown_by)
    answers = {each: Answered(records) for each, records in found.items()}
    lost = [each for each in left if each not in found]
    try:
        return answers | _by_words(site, object_type, lost)
    except ReadError:
        if not answers:  # else these were paid for
            raise
    return answers


def _by_unique_properties(site: _Site, object_type: str, texts: list[str]) -> _Found:
    """The records of a custom object that a unique property of the account's own names so."""
    if object_type in STANDARD:
        return {}
    try:
        names = cached_lookup(unique_properties, object_type, seconds=PROPERTIES_SECONDS)
    except ReadError:
        return {}
    found: _Found = {}
    for name in names[:MOST_KEYS]:
        left = [each for each in texts if each not in found]
        shown_by = display_property(object_type)
        found |= find_by_key(site.keys, object_type, name, left, shown_by) if left else {}
    return found


def _by_property(
    site: _Site, object_type: str, name: str, texts: Sequence[str]
) -> dict[str, Answered]:
    found = find_by_key(site.keys, object_type, name, texts, display_property(object_type))
    return {each: Answered(found.get(each, ())) for each in texts}


def _by_words(site: _Site, object_type: str, texts: list[str]) -> dict[str, Answered]:
    """One search each: so many, before it is another's turn."""
    answers: dict[str, Answered] = {}
    if not texts:
        return answers
    asked = site.run.keys.filter(kind__in=_WORDS).exclude(asked_at=None).count()
    until = time.monotonic() + TURN_SECONDS
    for text in texts:
        if site.is_bounded and asked + len(answers) >= MOST_WORDS:
            return answers | {each: _TOO_MANY for each in texts if each not in answers}
        if answers and time.monotonic() > until:
            break
        try:
            shown = search(site.words, object_type, text, display_property(object_type))
        except ReadError:
            if answers:  # these were paid for
                break
            raise
        same = [each for each in shown.records if _folded(each.name) == _folded(text)]
        is_whole = shown.total <= len(shown.records)
        if len(same) == 1 and is_whole:
            answers[text] = Answered(same)
        else:
            answers[text] = Answered(shown.records, is_exact=False, total=shown.total)
    return answers


_TOO_MANY = Answered(total=-1)


def _by_phone(site: _Site, object_type: str, numbers: list[str]) -> dict[str, Answered]:
    """Several people may have one number."""
    forms = {each: forms_of(each)[0] for each in numbers}
    found = _by_words(site, object_type, list(dict.fromkeys(forms.values())))
    return {
        each: found[form]._replace(is_exact=False) for each, form in forms.items() if form in found
    }


_SEEK: dict[str, Callable[[_Site, str, list[str]], dict[str, Answered]]] = {
    Kind.EMAIL: _by_email,
    Kind.DOMAIN: _by_domain,
    Kind.NAME: _by_name,
    Kind.PHONE: _by_phone,
}


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


# --- what an answer comes to ----------------------------------------------------------------------


def _take(key: BulkKey, answer: Answered) -> None:
    key.object_id = key.name = key.problem = ""
    key.facts, key.candidates = {}, []
    if len(answer.records) == 1 and answer.is_exact:
        key.object_id, key.name = answer.records[0].object_id, answer.records[0].name
    elif answer.records:
        key.problem = RowReason.CHOOSE
        key.facts = {"count": max(answer.total, len(answer.records))}
        key.candidates = [[r.object_id, r.name, r.detail] for r in answer.records[:MOST_CANDIDATES]]
    else:
        key.problem = _why_none(key, answer)


def _why_none(key: BulkKey, answer: Answered) -> RowReason:
    if answer.total < 0:  # it was not searched for
        return RowReason.TOO_MANY_WORDS
    if key.object_type == "companies" and domain_of(key.text) in FREE_MAIL:
        return RowReason.FREE_MAIL
    if key.kind == Kind.KEY:
        return RowReason.NO_SUCH_KEY
    is_address = key.kind == Kind.EMAIL and key.object_type == "contacts"
    return RowReason.NO_SUCH_EMAIL if is_address else RowReason.NOT_FOUND


_ASKED = ("object_id", "name", "problem", "facts", "candidates", "asked_at", "tries")


def _note(run: BulkRun, keys: Sequence[BulkKey], now: datetime) -> None:
    hold(run, lookup_cause="")
    for key in keys:
        key.asked_at, key.tries = now, 0
    update_each(keys, _ASKED)


def _react(run: BulkRun, keys: Sequence[BulkKey], error: ReadError) -> None:
    if error.cause is Cause.ACCESS_ENDED:
        raise FileError(FileReason.ACCESS_ENDED) from error
    if error.cause is Cause.RATE_LIMITED and error.answer.http_status is None:
        raise clients.NoSlotError from error
    retry_on_outage(lambda: _note_failure(run, keys, error))
    if keys[0].asked_at is None:
        raise NotNowError from error


def _note_failure(run: BulkRun, keys: Sequence[BulkKey], error: ReadError) -> None:
    """What passes is asked again in a while; of the rest the rows say why it was not told."""
    tries = max(key.tries for key in keys) + 1
    is_over = error.cause not in _PASSING or tries >= MOST_TRIES
    # Whatever is not told of these, the links of other rows may be looked up.
    hold(run, lookup_cause="" if is_over else str(error.cause))
    for key in keys:
        key.tries, key.asked_at = tries, None
        if is_over:
            key.object_id, key.problem = "", RowReason.NOT_SHOWN
            key.facts, key.asked_at = {"cause": str(error.cause)}, timezone.now()
    update_each(keys, _ASKED)


def _settle(row: BulkRow, keys: Mapping[int, BulkKey]) -> None:
    row.state = RowState.READY
    for side in SIDES:
        pk = getattr(row, f"{side}_key_id")
        if pk is None:
            continue
        key = keys.get(pk) or _erased(row, side)
        if not key.object_id:
            _refuse(row, f"{side}_object_id", key)
            return
        typed = key.text if key.kind in (Kind.EMAIL, Kind.DOMAIN) else ""
        setattr(row, f"{side}_object_id", key.object_id)
        if settings.KEEP_RECORD_NAMES and (key.name or typed):
            kept = {"name": key.name, "typed": typed, "salt": new_salt()}
            for part, value in kept.items():
                setattr(row, f"{side}_{part}", value)
    is_same = row.from_object_id == row.to_object_id
    if is_same and row.from_object_type == row.to_object_type:
        row.state, row.problem = RowState.INVALID, PairReason.ITSELF
        row.problem_field, row.facts = "to_object_id", {}


def _erased(row: BulkRow, side: str) -> BulkKey:
    """What stands for a key that was erased: nobody knows any more what was written."""
    object_type = getattr(row, f"{side}_object_type")
    return BulkKey(object_type=object_type, text="…", problem=RowReason.NOT_FOUND)


def _refuse(row: BulkRow, field: str, key: BulkKey) -> None:
    facts = {"text": key.text, "object_type": key.object_type} | key.facts
    row.state, row.problem_field, row.problem = RowState.INVALID, field, key.problem
    row.facts = shortened(facts)


_SETTLED = [
    *("state", "problem", "problem_field", "facts", "cells"),
    *(f"{side}_{part}" for side in SIDES for part in ("object_id", "name", "typed", "salt")),
]


def _write(run: BulkRun, rows: Sequence[BulkRow]) -> None:
    invalid = [row for row in rows if row.state == RowState.INVALID]
    to_choose = sum(row.problem == RowReason.CHOOSE for row in invalid)
    hold(
        run,
        rows_invalid=F("rows_invalid") + len(invalid),
        rows_to_choose=F("rows_to_choose") + to_choose,
    )
    for row in rows:
        if row.state == RowState.READY:
            row.cells = {}
    update_each(rows, _SETTLED)
