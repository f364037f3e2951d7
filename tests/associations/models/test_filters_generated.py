"""Addresses of the audit log, sensible and hostile: their pages are what a plain filter gives.

FILTER_EXAMPLES is how many are tried; with FILTER_REPORT=1 the end tells how many found something.
"""

import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from html import unescape
from random import Random
from string import ascii_lowercase, ascii_uppercase
from types import SimpleNamespace
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, quote_plus, urlsplit
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.test import override_settings, tag
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from associations.hubspot.outcomes import VERDICTS, Outcome
from associations.models import AssociationRequest, BulkRun, RecordNames
from associations.models.querysets import NAMES as NAMES_COLUMNS
from hubadmin.models import User
from tests.generated import ANY_TEXT, examples
from tests.support import SignedInClient, person

EXAMPLES = int(os.environ.get("FILTER_EXAMPLES", "80"))
Entry = AssociationRequest
Pair = tuple[str, str]  # of an address: a name and a value

# --- the log --------------------------------------------------------------------------------------

RANDOM = Random(4)
NOW = datetime(2026, 11, 2, 3, 30, tzinfo=UTC)  # still 1 November in New York
FIRST, LAST = date(2026, 10, 3).toordinal(), date(2026, 11, 3).toordinal()
ZONES = {  # most change their clocks between the two
    name: ZoneInfo(name)
    for name in (
        *("UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Australia/Lord_Howe"),
        *("Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Pago_Pago"),
    )
}
PEOPLE = {1001: "Ada", 1002: "Ada", 1003: 'Bruno "B" O\'Brien', 1004: "<i>Chiara</i>", 1005: "戴维"}
RUNS = [12, 2**40]
IDS = ["501", "902", "7", "70", "18446744073709551615"]
SPELLINGS = {
    "contacts": ["contacts", "contact", "CONTACT", "0-1", "Person"],
    "companies": ["companies", "Company", "0-2"],
    "0-8": ["0-8", "Line item", "LINE_ITEMS", "line-item"],
    "2-4001": ["2-4001"],
    "p_Car": ["p_Car", "P_Car"],
}
# No letter beyond A to Z that is here in the one case stands anywhere in the other: there the
# databases differ.
REASONS = [
    *('SUP-1042 said "yes"', "merged doubles", "100 % sure", "50%_off", "snake_case", "O'Brien"),
    *(
        "C:\\temp\\new",
        "ends with \\",
        "Zürich",
        "日本語の会社",
        "🙂🙃🙂",
        "two\nlines",
        "tab\there",
    ),
    *("too  many  spaces", "no-break\xa0space", "<b>bold</b>", "%", "_", "OR *", "reason:x --"),
    *('6" screw', 'the "other" one', 'x""y'),
]
ERRORS = [
    *("One or more associations are invalid", "HTTP 502: <html>", "100% of 10_000", "it's down"),
    *('"501" is not "valid"', "Límite alcanzado", "\\N is no id", '("quoted") OR nothing'),
]
NAMES = [
    *("Ada Byron", "田中 花子", "O'Brien & Sons", "100 % Ltd", "50%_off Inc.", "<b>Bold</b> GmbH"),
    *('The "Other" One', "C:\\Temp Ltd", "Zürich AG", "🙂🙃🙂", "OR * NEAR", "x", "from_name : y"),
]
TYPED = ["ada@example.com", "analytical.example", "", "", ""]
CATEGORIES = ["", "VALIDATION_ERROR", "OBJECT_NOT_FOUND", "RATE_LIMITS", "Mixed_Case"]
CORRELATIONS = ["", "0192f3c4-77", "0192f3c4-78", "%", "a_c", "abc"]


def _moments() -> Iterator[datetime]:
    """Some at random, some at and right before midnight somewhere."""
    for _ in range(40):
        minutes, micro = RANDOM.randrange(44_000), RANDOM.choice([0, 0, 1, 999_999])
        yield datetime(2026, 10, 3, tzinfo=UTC) + timedelta(minutes=minutes, microseconds=micro)
    for zone in ZONES.values():
        for day in RANDOM.sample(range(FIRST, LAST), 2):
            midnight = datetime.combine(date.fromordinal(day), time.min, zone).astimezone(UTC)
            yield from (midnight, midnight - timedelta.resolution)


def _entry(pk: int, created_at: datetime) -> Entry:
    outcome = RANDOM.choice(["linked", "linked", "linked", "rejected", "rejected", *Outcome])
    causes = [cause for cause, verdict in VERDICTS.items() if verdict.outcome == outcome]
    has_failed = causes and outcome != "linked"
    user = RANDOM.choice([*PEOPLE])
    from_, to = ((RANDOM.choice([*SPELLINGS]), RANDOM.choice(IDS)) for _ in range(2))
    to = RANDOM.choice([to, to, from_])  # now and then the same record on both sides
    return Entry(
        pk=pk,
        user_id=user,
        user_name=PEOPLE[user],
        from_object_type=from_[0],
        from_object_id=from_[1],
        to_object_type=to[0],
        to_object_id=to[1],
        reason=" ".join(RANDOM.sample(REASONS, RANDOM.randrange(4))),
        outcome=str(outcome),
        cause=RANDOM.choice(causes) if causes else "",
        http_status=RANDOM.choice([400, 404, 429, 502, None]) if has_failed else 200,
        error_category=RANDOM.choice(CATEGORIES) if has_failed else "",
        error_text=" ".join(RANDOM.sample(ERRORS, RANDOM.randrange(1, 3))) if has_failed else "",
        correlation_id=RANDOM.choice(CORRELATIONS),
        was_linked=RANDOM.choice([None, False, False, True]),
        verified=RANDOM.choice([None, False, True, True]),
        created_at=created_at,
        **_of_a_run(pk),
    )


def _of_a_run(pk: int) -> dict[str, int]:
    """Every fourth is of one of two runs; a row has the number of its entry."""
    return {"run_id": RUNS[pk // 4 % 2], "row_number": pk} if pk % 4 == 0 else {}


def _log() -> list[Entry]:
    """Newest first. There are more entries than moments, and the ids tell nothing of the order."""
    moments = [*_moments()]
    entries = [_entry(pk, RANDOM.choice(moments)) for pk in RANDOM.sample(range(1, 5_000), 200)]
    return sorted(entries, key=lambda entry: (entry.created_at, entry.pk), reverse=True)


LOG = _log()
NAMED = {
    entry.pk: [RANDOM.choice(["", *each]) for each in (NAMES, TYPED, NAMES, TYPED)]
    for entry in LOG
    if entry.pk % 3
}

# --- a plain filter of it -------------------------------------------------------------------------

FIELDS = [
    *("who", "outcome", "seen", "range", "since", "until", "record_type", "record"),
    *("from_type", "to_type", "name", "reason", "error", "category", "status", "run"),
    *("correlation", "request", "tz"),
]
TYPES = {spelling: name for name, spellings in SPELLINGS.items() for spelling in spellings}
STATUSES = {str(n): n for n in (100, 200, 400, 404, 429, 502, 999)} | {
    "404.0": 404,
    "\u0664\u0660\u0664": 404,
}
RUN_NUMBERS = {str(n): n for n in (*RUNS, 1, 2**63 - 1)} | {"12.0": 12, "012": 12}
DAYS = {str(day): day for day in map(date.fromordinal, range(FIRST - 11, LAST + 11))}
DAYS |= {"2026-11-1": date(2026, 11, 1)}
DAYS |= {text: date.fromisoformat(text) for text in ("2000-01-01", "2099-12-31")}
BACK = {"today": 0, "7d": 6, "30d": 29}
LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
SEEN: dict[str, Callable[[Entry], bool]] = {
    "verified": lambda entry: entry.verified is True,
    "already": lambda entry: entry.was_linked is True,
    "not_verified": lambda entry: (
        entry.outcome in ("linked", "unconfirmed", "unreachable")
        and entry.verified is not True
        and entry.cause != "no_connection"
    ),
}


class WrongFieldError(Exception):
    """A field does not take what it got."""


def _known(table: dict[str, Any], text: str) -> Any:
    if text not in table:
        raise WrongFieldError
    return table[text]


def _is_called(text: str) -> Callable[[Entry], bool]:
    if len(text) < 2:
        raise WrongFieldError
    return lambda entry: any(
        text.translate(LOWER) in name.translate(LOWER) for name in NAMED.get(entry.pk, [])
    )


def _text(text: str, longest: int = 100) -> str:
    if "\0" in text or len(text.strip()) > longest:
        raise WrongFieldError
    return text.strip()


def _contains(name: str, text: str, entry: Entry) -> bool:
    return text.translate(LOWER) in getattr(entry, name).translate(LOWER)


def _has(name: str, wanted: Any, entry: Entry) -> bool:
    return getattr(entry, name) == wanted


def _tests(pairs: list[Pair], viewer: str) -> Iterator[Callable[[Entry], bool]]:
    """What an entry has to pass. Raises WrongFieldError."""
    last = dict(pairs)  # of several values, where a field takes one
    one = {name: last.get(name, "").strip() for name in FIELDS}
    if who := {_known({str(pk): pk for pk in PEOPLE}, v) for n, v in pairs if n == "who"}:
        yield lambda entry: entry.user_id in who
    if outcomes := {_known({o: o for o in Outcome}, v) for n, v in pairs if n == "outcome"}:
        yield lambda entry: entry.outcome in outcomes
    if seen := last.get("seen", ""):
        yield _known(SEEN, seen)
    for side in ("from", "to"):
        if one[f"{side}_type"]:
            yield partial(_has, f"{side}_object_type", _known(TYPES, one[f"{side}_type"]))
    if one["status"]:
        yield partial(_has, "http_status", _known(STATUSES, one["status"]))
    if one["run"]:
        yield partial(_has, "run_id", _known(RUN_NUMBERS, one["run"]))
    if category := _text(one["category"]):
        yield partial(_has, "error_category", category.upper() if category.islower() else category)
    if correlation := _text(one["correlation"]):
        yield partial(_has, "correlation_id", correlation)
    if request_id := _text(one["request"], 64):
        yield partial(_has, "request_id", request_id.lower())
    if name := " ".join(_text(one["name"], 200).split()):
        yield _is_called(name)
    yield from _tests_of_texts(_text(one["reason"]).split(), _text(one["error"]).split())
    yield from _tests_of_record(one)
    yield from _tests_of_time(one, last.get("range", ""), ZONES.get(viewer, UTC))


def _tests_of_texts(reason: list[str], words: list[str]) -> Iterator[Callable[[Entry], bool]]:
    if 0 < len(" ".join(reason)) < 3 or len(words) > 8 or max(map(len, words), default=3) < 3:
        raise WrongFieldError
    yield partial(_contains, "reason", " ".join(reason))
    for word in words:
        yield partial(_contains, "error_text", word)


def _tests_of_record(one: dict[str, str]) -> Iterator[Callable[[Entry], bool]]:
    known_type = _known(TYPES, one["record_type"]) if one["record_type"] else ""
    if one["record"]:
        known = _known({pk: pk for pk in [*IDS, "424242"]}, one["record"])
        yield lambda e: any(
            object_id == known and known_type in ("", object_type)
            for object_type, object_id in (
                (e.from_object_type, e.from_object_id),
                (e.to_object_type, e.to_object_id),
            )
        )
    elif known_type:
        raise WrongFieldError


def _tests_of_time(
    one: dict[str, str], in_range: str, own: Any
) -> Iterator[Callable[[Entry], bool]]:
    zone = _known(ZONES, one["tz"]) if one["tz"] else own
    since, until = (_known(DAYS, one[n]) if one[n] else None for n in ("since", "until"))
    if (in_range and (since or until)) or (since and until and until < since):
        raise WrongFieldError
    if in_range:  # "today" is everybody's own, whatever zone the address names
        first = NOW.astimezone(own).date() - timedelta(days=_known(BACK, in_range))
        yield lambda entry: entry.created_at.astimezone(own).date() >= first
    if since:
        yield lambda entry: entry.created_at.astimezone(zone).date() >= since
    if until:
        yield lambda entry: entry.created_at.astimezone(zone).date() <= until


def wanted(pairs: list[Pair], viewer: str) -> list[Entry] | None:
    """The entries that are asked for, newest first; None if a field is wrong."""
    try:
        tests = [*_tests(pairs, viewer)]
    except WrongFieldError:
        return None
    return [entry for entry in LOG if all(test(entry) for test in tests)]


def _place(text: str) -> tuple[datetime, int] | None:
    """Where in the list `before` or `after` points to, if to anything."""
    if not re.fullmatch("[0-9]{1,18}", text):
        return None
    near = max((entry for entry in LOG if entry.pk <= int(text)), key=lambda e: e.pk, default=None)
    if near is None:
        return datetime.min.replace(tzinfo=UTC), 0
    return near.created_at, near.pk + (near.pk != int(text))


def from_there(entries: list[Entry], pairs: list[Pair], size: int) -> list[Entry]:
    """What the address's page and all older ones show of the entries."""
    before, after = (_place(dict(pairs).get(name, "")) for name in ("before", "after"))
    if after:
        newer = sum((entry.created_at, entry.pk) > after for entry in entries)
        return entries[max(0, newer - size) :] if newer else []
    return [e for e in entries if before is None or (e.created_at, e.pk) < before]


# --- addresses ------------------------------------------------------------------------------------

CASES = st.sampled_from(
    [{}, LOWER, str.maketrans(ascii_lowercase + ascii_uppercase, ascii_uppercase + ascii_lowercase)]
)
HOSTILE = ANY_TEXT | st.sampled_from(
    [
        *("\0", "a\0b", "\ud800", "x\udfff\ud800", "\ufffe\uffff", "\u202e\u200b\u2066", "e\u0301"),
        *("' OR 1=1 --", "'; DROP TABLE associations_associationrequest; --", "1) UNION SELECT 1"),
        *("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7|add:7 }}{% x %}"),
        *('" OR *', 'x" OR reason : "y', "NEAR(a b, 2)", "^abc*", "a AND NOT b", '"""', "- + :"),
        *("%%%", "___", "\\\\\\", "%(value)s %s %d", "a\r\nSet-Cookie: a=b", "日本語の", "🙂🙃🙂"),
        *("x" * 100, "x" * 101, "y" * 10_000, "日本" * 5_000, "a b c d e f g h i", "aa bb", "ab"),
    ]
)
ODD = {  # what a field takes in spite of its looks, and what it does not in spite of them
    "who": [*map(str, PEOPLE), "1001 ", "0", "-1001", "1001.0", "9" * 5_000],
    "outcome": [*Outcome, "LINKED", " linked", "linked,rejected"],
    "seen": [*SEEN, "VERIFIED", " already", "linked"],
    "range": [*BACK, "TODAY", " 7d", "31d"],
    "since": [*DAYS, "2026-02-30", "1999-12-31", "0000-00-00", "2026-W44-1", "20261101", "to day"],
    "until": [*DAYS, "2100-01-01", "9999-12-31", "10000-01-01", "2026-11-01T00:00", "-1"],
    "record": [*IDS, " 7 ", "424242", "0", "007", "-7", "7e1", "\u0667", "1" * 21, "9" * 5_000],
    "record_type": [*TYPES, " contact ", "contactz", "2-", "0-9999", "../audit"],
    "from_type": [*TYPES, "contacts/501", "p_", "2-01"],
    "to_type": [*TYPES, "contacts\0", "p" * 129],
    "status": [*STATUSES, " 404 ", "99", "1000", "-404", "4e2", "0x194", "NaN", "9" * 5_000],
    "run": [*RUN_NUMBERS, " 12 ", "0", "-12", str(2**63), "1e1", "NaN", "9" * 5_000],
    "tz": [*ZONES, "Mars/Phobos", "europe/berlin", "../etc/passwd", "/etc/localtime"],
    "category": [*CATEGORIES, "validation_error", "validation", "VALIDATION%"],
    "correlation": [*CORRELATIONS, "ABC", "%%", "a%"],
    "name": [*NAMES, *TYPED],
    "request": ["0af0" * 8, "0AF0" * 8, "x", "f" * 65],
    "reason": REASONS,
    "error": ERRORS,
}
IDS_AND_GAPS = st.sampled_from([entry.pk for entry in LOG]) | st.integers(-5, 5_005)
ODD_POSITIONS = st.sampled_from(
    ["9" * 18, "9" * 19, "9" * 5_000, "1e3", "\u0663", "²", "+1", " 5 "]
)
POSITIONS = IDS_AND_GAPS.map(str) | ODD_POSITIONS | HOSTILE
UNKNOWN = ["utm_source", "page", "order_by", "user__password", "refresh", "WHO", "who[]", "", "\0"]
# Behind an "x", a text is nothing that a field with certain values takes.
HOSTILE_PAIRS = st.one_of(
    *(st.tuples(st.just(name), st.sampled_from(values)) for name, values in ODD.items()),
    st.tuples(st.sampled_from(["name", "reason", "error", "category", "correlation"]), HOSTILE),
    st.tuples(st.sampled_from(FIELDS), st.sampled_from(["", " ", "\u3000\n"])),
    st.tuples(st.sampled_from(FIELDS), HOSTILE.map("x{}".format)),
    st.tuples(st.sampled_from(["before", "after"]), POSITIONS),
    st.tuples(st.sampled_from(UNKNOWN) | HOSTILE.map("x{}".format), HOSTILE),
)
ROW = re.compile(r'class="row-link" href="/requests/(\d+)/"')
COUNTED = re.compile(r"<p>([\d,]+ entr\w+\.) ")
OLDER = re.compile(r'<a href="\?([^"]*)">Older')
Draw = Callable[[st.SearchStrategy], Any]


def _some_of(choices: list, draw: Draw) -> list[str]:
    return [str(choice) for choice in draw(st.lists(st.sampled_from(choices), max_size=2))]


def _part(text: str, draw: Draw) -> str:
    start = draw(st.integers(0, max(0, len(text) - 3)))
    return text[start : start + draw(st.integers(3, 20))].translate(draw(CASES))


def _who(entry: Entry, own: Any, draw: Draw) -> list[Pair]:
    return [("who", pk) for pk in [*_some_of([*PEOPLE], draw), str(entry.user_id)]]


def _outcome(entry: Entry, own: Any, draw: Draw) -> list[Pair]:
    return [("outcome", name) for name in [entry.outcome, *_some_of([*Outcome], draw)]]


def _seen(entry: Entry, own: Any, draw: Draw) -> list[Pair]:
    names = [name for name, test in SEEN.items() if test(entry)]
    return [("seen", draw(st.sampled_from(names)))] if names else []


def _days(entry: Entry, own: Any, draw: Draw) -> list[Pair]:
    name = draw(st.sampled_from(["", *ZONES]))
    day = entry.created_at.astimezone(ZONES.get(name, own)).date()
    since, until = (timedelta(draw(st.integers(0, 9))) for _ in range(2))
    pairs = [("since", str(day - since)), ("until", str(day + until))]
    zone = [("tz", name)] if name else []
    return draw(st.sampled_from([pairs, pairs[:1], pairs[1:]])) + zone


def _range(entry: Entry, own: Any, draw: Draw) -> list[Pair]:
    age = NOW.astimezone(own).date() - entry.created_at.astimezone(own).date()
    names = [name for name, back in BACK.items() if age.days <= back]
    zone = [("tz", name) for name in _some_of([*ZONES], draw)]
    return [("range", draw(st.sampled_from(names))), *zone] if names else []


def _record(entry: Entry, own: Any, draw: Draw) -> list[Pair]:
    side = draw(st.sampled_from(["from", "to"]))
    pairs = [("record", getattr(entry, f"{side}_object_id"))]
    name = draw(st.sampled_from(["", *SPELLINGS[getattr(entry, f"{side}_object_type")]]))
    return [("record_type", name), *pairs] if name else pairs


def _type(side: str, entry: Entry, own: Any, draw: Draw) -> list[Pair]:
    name = draw(st.sampled_from(SPELLINGS[getattr(entry, f"{side}_object_type")]))
    return [(f"{side}_type", name)]


def _reason(entry: Entry, own: Any, draw: Draw) -> list[Pair]:
    text = _part(entry.reason, draw).strip()
    return [("reason", text)] if len(text) > 2 and " ".join(text.split()) == text else []


def _name(entry: Entry, own: Any, draw: Draw) -> list[Pair]:
    text = _part(draw(st.sampled_from(NAMED.get(entry.pk, [""]))), draw).strip()
    return [("name", text)] if len(text) > 1 and " ".join(text.split()) == text else []


def _error(entry: Entry, own: Any, draw: Draw) -> list[Pair]:
    words = [_part(word, draw) for word in _some_of(entry.error_text.split() or [""], draw)]
    return [("error", " ".join(words))] if max(map(len, words), default=0) > 2 else []


def _answer(name: str, attribute: str, entry: Entry, own: Any, draw: Draw) -> list[Pair]:
    value = getattr(entry, attribute)
    return [(name, str(value))] if value else []


ASKING = [
    _who,
    _outcome,
    _seen,
    _record,
    *[_name, _reason, _error] * 3,
    partial(_type, "from"),
    partial(_type, "to"),
]
ASKING += [
    partial(_answer, "status", "http_status"),
    partial(_answer, "run", "run_id"),
    partial(_answer, "category", "error_category"),
    partial(_answer, "correlation", "correlation_id"),
]
PLACES = st.lists(
    st.tuples(st.sampled_from(["before", "after"]), IDS_AND_GAPS.map(str)), max_size=2
)
# About how many pages there shall be, how many more entries on each, and how often a text has to
# be found so that it is not looked up in the index.
Pages = tuple[int, int, int]
PAGES = st.tuples(st.sampled_from([1, 1, 1, 2, 3]), st.integers(-1, 1), st.sampled_from([1, 1_000]))
VIEWERS = st.sampled_from(["", "", *ZONES, "Mars/Phobos"])


@st.composite
def believable(draw: Draw) -> tuple[str, list[Pair]]:
    """A viewer's zone, and filters that at least one entry passes."""
    entry, viewer = draw(st.sampled_from(LOG)), draw(VIEWERS)
    asking = draw(st.lists(st.sampled_from(ASKING), min_size=2, max_size=4, unique=True))
    asking += draw(st.sampled_from([[], [_days], [_range]]))
    own = ZONES.get(viewer, UTC)
    return viewer, [pair for ask in asking for pair in ask(entry, own, draw)]


@st.composite
def hostile(draw: Draw) -> tuple[str, list[Pair]]:
    """Anything, also in the midst of what makes sense."""
    viewer, pairs = draw(believable() | believable() | st.tuples(VIEWERS, st.just([])))
    return viewer, draw(st.permutations(pairs + draw(st.lists(HOSTILE_PAIRS, max_size=4))))


def without_the_empty(pairs: list[Pair]) -> list[Pair]:
    """The form's own fields that are filled in, in its order; a zone only for named days."""
    filled = [(name, value) for name, value in pairs if name in FIELDS and value.strip()]
    if not {"since", "until"} & dict(filled).keys():
        filled = [(name, value) for name, value in filled if name != "tz"]
    return sorted(filled, key=lambda pair: FIELDS.index(pair[0]))


def _encoded(text: str) -> str:
    return quote_plus(text.encode("utf-8", "surrogatepass"))


def _received(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


@override_settings(SSO_RECHECK_SECONDS=10**9, SSO_SESSION_SECONDS=10**9, SSO_IDLE_SECONDS=10**9)
@tag("long")
class GeneratedFilterTests(TestCase):
    tried = matched = 0

    @classmethod
    def setUpTestData(cls) -> None:
        cls.admin = person("admin")
        User.objects.bulk_create(
            User(pk=pk, issuer="log", subject=str(pk), name=name) for pk, name in PEOPLE.items()
        )
        BulkRun.objects.bulk_create(
            BulkRun(pk=pk, user_id=min(PEOPLE), created_at=NOW) for pk in RUNS
        )
        Entry.objects.bulk_create(sorted(LOG, key=lambda entry: entry.pk))
        RecordNames.objects.bulk_create(
            RecordNames(pk=pk, **dict(zip(NAMES_COLUMNS, names, strict=True)))
            for pk, names in NAMED.items()
        )

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        clock = SimpleNamespace(now=lambda: NOW, get_current_timezone=timezone.get_current_timezone)
        cls.enterClassContext(mock.patch("associations.audit.forms.timezone", clock))
        for name in ("LIST_SECONDS", "COUNT_SECONDS"):  # however busy the machine is
            cls.enterClassContext(mock.patch(f"associations.audit.pagination.{name}", 60.0))

    @classmethod
    def tearDownClass(cls) -> None:
        super().tearDownClass()
        if os.environ.get("FILTER_REPORT"):
            share = cls.matched / max(cls.tried, 1)
            print(f"\n{cls.tried} combinations, {cls.matched} matched ({100 * share:.1f} %)")
        if cls.matched < cls.tried / 2:
            raise AssertionError("Most of the filters found nothing, so they prove little.")

    def setUp(self) -> None:
        self.client = SignedInClient(self.admin)

    @examples(EXAMPLES // 2)
    @given(believable(), PLACES, PAGES)
    def test_whatever_makes_sense_finds_what_a_plain_filter_finds(
        self, asked: tuple[str, list[Pair]], place: list[Pair], pages: Pages
    ) -> None:
        viewer, pairs = asked
        self.assertTrue(self.check(viewer, pairs + place, pages))

    @examples(EXAMPLES - EXAMPLES // 2)
    @given(hostile(), PAGES)
    def test_whatever_is_hostile_finds_no_more_or_is_told_what_is_wrong(
        self, asked: tuple[str, list[Pair]], pages: Pages
    ) -> None:
        self.check(*asked, pages)

    def check(self, viewer: str, pairs: list[Pair], pages: Pages) -> bool:
        """Compare all pages; return whether the filter, though perhaps not they, had entries."""
        type(self).tried += 1
        self.client.cookies["timezone"] = viewer
        query = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in pairs)
        pairs = [(_received(name), _received(value)) for name, value in pairs]
        if any(name in FIELDS and not value.strip() for name, value in pairs):
            if len(query) > 16_000:  # may be too long for a Location
                status = self.client.get(f"/audit/?{query}").status_code
                self.assertIn(status, (200, 302, 422))
                return False
            meant = wanted(without_the_empty(pairs), viewer)
            query = urlsplit(self.answer(query, 302)["Location"]).query
            pairs = parse_qsl(query, keep_blank_values=True)
            self.assertEqual(pairs, without_the_empty(pairs))
            self.assertEqual(wanted(pairs, viewer), meant)
        entries = wanted(pairs, viewer)
        if entries is None:
            self.assertIn('class="field-error"', self.page(query, 422))
            return False
        type(self).matched += bool(entries)
        about, more, common = pages
        size = max(1, -(-len(entries) // about) + more)
        with (
            mock.patch("associations.audit.pagination.PAGE_SIZE", size),
            mock.patch("associations.models.querysets.COMMON", common),
            mock.patch("associations.models.querysets.NAMES_COMMON", common),
            mock.patch("associations.models.querysets.FEW", max(0, more * 5)),
        ):
            shown = self.all_pages(query, len(entries))
        self.assertEqual(shown, [entry.pk for entry in from_there(entries, pairs, size)])
        return bool(entries)

    def all_pages(self, query: str, count: int) -> list[int]:
        """The entries on the page and on all older ones; each page tells the same count."""
        shown, words = [], f"{count} {'entry' if count == 1 else 'entries'}."
        while query is not None:
            page = self.page(query, 200)
            self.assertEqual(COUNTED.findall(page), [words])
            entries, older = ROW.findall(page), OLDER.search(page)
            self.assertEqual(bool(entries), 'class="empty"' not in page)
            shown += map(int, entries)
            query = unescape(older[1]) if older else None
            self.assertLessEqual(len(shown), len(LOG))
        return shown

    def page(self, query: str, status: int) -> str:
        text = self.answer(query, status).content.decode()
        self.assertNotIn("<script>alert", text)
        self.assertNotIn("<img src=x", text)
        return text

    def answer(self, query: str, status: int) -> HttpResponse:
        answer = self.client.get(f"/audit/?{query}")
        self.assertEqual(answer.status_code, status)
        return answer
