"""The one search box of the audit log: where its text leads to, and what else it could mean.

What it means is told by what it looks like. Words may be a name, a reason or a person: they lead to
the best of these, and its page offers the others.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from django.contrib.auth import get_user_model
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from associations.audit.forms import ON_DAYS, AuditFilterForm
from associations.audit.pagination import COUNT_SECONDS
from associations.audit.said_days import Days, split_days
from associations.db import QueryTimeoutError, query_timeout
from associations.hubspot.record_references import (
    OF_THE_DIGITS,
    RecordIdError,
    RecordReference,
    read_id,
)
from associations.hubspot.unseen import bare, without_unseen
from associations.models import AssociationRequest, AuditFilter, BulkRun
from associations.models.querysets import COUNTED_AT_MOST, count_of
from hubadmin.models import User

LONGEST = 200
PEOPLE = 3  # that are offered, or meant at once
ALWAYS = AuditFilter()
LEAST = {"name": 2, "reason": 3}  # characters
_NUMBER = r" ?#? ?([1-9][0-9]{0,14})"
_PLAIN = re.compile(r"([1-9][0-9]{0,14})", re.ASCII)
_ENTRY = re.compile(rf"(?:entry|記録|#){_NUMBER}", re.ASCII | re.IGNORECASE)
_RUN = re.compile(rf"(?:bulk run|run|一括処理){_NUMBER}", re.ASCII | re.IGNORECASE)
_CORRELATION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_REQUEST = re.compile(r"[0-9a-f]{32}", re.ASCII | re.IGNORECASE)
# As programs for mail write it: `mailto:ada@example.com`, `Ada <ada@example.com>`.
_EMAIL = re.compile(r"(?:mailto:|[^<>@]*<)([^\s<>@:]+@[^\s<>@:]+)>?", re.IGNORECASE)
_ADDRESS = re.compile(r"://|\bhubspot\.", re.IGNORECASE)

Read = Callable[[str], RecordReference]
Asked = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Offer:
    """Another meaning of what was looked for."""

    text: str
    address: str


def address_of(text: str, read: Read) -> str:
    """Return where the text leads to; `read` reads a record's address or its type and id.

    Raises RecordIdError where an address names no record.
    """
    text = " ".join(without_unseen(bare(text)).split())[:LONGEST].strip()
    text, days = _without_days(text)
    plain = unicodedata.normalize("NFKC", text)
    if address := _entry_named(plain, _ENTRY):
        return address
    asked = _meant(text, plain, read) if text else {}
    # An id without its type may be the number of an entry as well.
    is_of_none = asked.keys() == {"record"} and not _has_entries(AuditFilter(record_id=plain))
    if is_of_none and (address := _entry_named(plain, _PLAIN)):
        return address
    return filtered(asked | (_on(days) if days else {}))


def filtered(asked: Asked) -> str:
    query = QueryDict(mutable=True)
    for name, values in asked.items():
        query.setlist(name, values)
    return f"{reverse('audit_log')}?{query.urlencode()}"


def offers_of(form: AuditFilterForm) -> list[Offer]:
    """Return what else the text could mean that a valid filter looks for, if it is for one alone.

    A day beside it does not matter. What cannot be counted in time is not offered.
    """
    query = form.query()
    names = [name for name in query if name not in ON_DAYS]
    days = {name: query.getlist(name) for name in query if name in ON_DAYS}
    if len(names) != 1:
        return []
    try:
        with query_timeout(COUNT_SECONDS):
            return [*_others(names[0], query.getlist(names[0]), days, form.wanted())]
    except QueryTimeoutError:
        return []


def _without_days(text: str) -> tuple[str, Days | None]:
    """The text without the days beside it, but whole if records are called so: "USA Today"."""
    rest, days = split_days(text, timezone.localdate())
    if rest and days and _has_entries(AuditFilter(name=text), if_unknown=False):
        return text, None
    return rest, days


# --- what is meant --------------------------------------------------------------------------------


def _meant(text: str, plain: str, read: Read) -> Asked:
    if found := _RUN.fullmatch(plain):
        return {"run": [found[1]]}
    if found := _ENTRY.fullmatch(plain):  # there is no such entry
        return {"record": [found[1]]}
    if _CORRELATION.fullmatch(plain):
        return {"correlation": [plain]}
    if _REQUEST.fullmatch(plain):
        return {"request": [plain.lower()]}
    try:
        reference = read_id(plain, read)
    except RecordIdError as error:
        is_address = _ADDRESS.search(plain) and "@" not in plain
        if is_address and error.reason not in OF_THE_DIGITS:
            raise
        email = _EMAIL.fullmatch(plain)
        return _words(email[1], email[1]) if email else _words(text, plain)
    asked = {"record": [reference.object_id]}
    if reference.object_type:
        asked["record_type"] = [reference.object_type.canonical]
    return asked


def _entry_named(text: str, pattern: re.Pattern[str]) -> str:
    """The page of the entry that has the number, if there is one."""
    found = pattern.fullmatch(text)
    is_there = found and AssociationRequest.objects.filter(pk=int(found[1])).exists()
    return reverse("request", args=[int(found[1])]) if found and is_there else ""


def _words(text: str, plain: str) -> Asked:
    """What the words mean, as they stand or else in plain letters: those typed may be wide."""
    is_called = Q(name__iexact=text) | Q(email__iexact=text)
    if called := get_user_model().objects.filter(is_called).order_by("pk"):
        return _done_by(called)
    for each in dict.fromkeys((text, plain)):
        for name, wanted in _by_words(each):
            if _has_entries(wanted):
                return {name: [each]}
    people = [*_people_like(text)[: PEOPLE + 1]] if len(text) >= LEAST["name"] else []
    # Of more people some would be left out without a word; they are offered instead.
    return _done_by(people) if 0 < len(people) <= PEOPLE else {"name": [text]}


def _done_by(people: Iterable[User]) -> Asked:
    return {"who": [str(each.pk) for each in people]}


def _by_words(text: str, during: AuditFilter = ALWAYS) -> Iterator[tuple[str, AuditFilter]]:
    if len(text) >= LEAST["name"]:
        yield "name", replace(during, name=text)
    if LEAST["reason"] <= len(text) <= 100:
        yield "reason", replace(during, reason=text)


def _people_like(text: str) -> QuerySet[User]:
    like = Q(name__icontains=text) | Q(email__icontains=text)
    return get_user_model().objects.filter(like).order_by("name", "pk")


def _has_entries(wanted: AuditFilter, *, if_unknown: bool = True) -> bool:
    """Whether there are any; where that takes too long to know, there may be."""
    try:
        with query_timeout(COUNT_SECONDS):
            branches = AssociationRequest.objects.branches(wanted)
            return any(branch.exists() for branch in branches)
    except QueryTimeoutError:
        return if_unknown


def _on(days: Days) -> Asked:
    zone = str(timezone.get_current_timezone())
    return {"since": [str(days.first)], "until": [str(days.last)], "tz": [zone]}


# --- what else it could be ------------------------------------------------------------------------


def _others(name: str, values: list[str], days: Asked, wanted: AuditFilter) -> Iterator[Offer]:
    if name == "record":
        yield from _of_that_number(wanted.record_id)
    elif name in LEAST or (name == "who" and len(values) == 1):
        text = getattr(wanted, name, "") or _name_of(wanted.users[0])
        during = AuditFilter(since=wanted.since, until=wanted.until)
        yield from _of_those_words(name, text, days, during)


def _of_that_number(number: str) -> Iterator[Offer]:
    if len(number) > 15:
        return
    if AssociationRequest.objects.filter(pk=number).exists():
        text = gettext("entry {number}").format(number=number)
        yield Offer(text, reverse("request", args=[number]))
    if BulkRun.objects.filter(pk=number).exists():
        yield Offer(gettext("run {number}").format(number=number), filtered({"run": [number]}))


def _of_those_words(name: str, text: str, days: Asked, during: AuditFilter) -> Iterator[Offer]:
    for other, wanted in _by_words(text, during):
        if other != name and (count := _count(wanted)):
            yield Offer(_counted(other, count), filtered({other: [text]} | days))
    if name != "who":
        for person in _people_like(text)[:PEOPLE]:
            told = gettext("everything {name} did").format(name=person.name)
            yield Offer(told, filtered({"who": [str(person.pk)]} | days))


def _name_of(user: int) -> str:
    return get_user_model().objects.values_list("name", flat=True).get(pk=user)


def _count(wanted: AuditFilter) -> int:
    return count_of(AssociationRequest.objects.branches(wanted), wanted)


def _counted(name: str, count: int) -> str:
    shown = intcomma(min(count, COUNTED_AT_MOST - 1)) + "+" * (count >= COUNTED_AT_MOST)
    if name == "name":
        # Translators: so many entries have the text in the name of a record
        return gettext("{shown} by name").format(shown=shown)
    # Translators: so many entries have the text in their reason
    return gettext("{shown} by reason").format(shown=shown)
