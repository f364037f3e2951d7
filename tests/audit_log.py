"""A log of any size, as if some 200 people had used hubadmin for three years.

`fill(10_000_000)` takes minutes, not hours: rows go in by `executemany` or COPY, past the ORM,
while indexes and triggers are away. The same number of rows is always the same log.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import accumulate, count, islice
from random import Random
from typing import Any, NamedTuple, TypeVar

from django.db import connections, models, transaction
from django.db.models import Max

from associations.audit.integrity import triggers
from associations.hubspot.object_types import resolve
from associations.hubspot.outcomes import VERDICTS, Cause, Outcome
from associations.models import (
    AssociationAttempt,
    AssociationCheck,
    AssociationRequest,
    RecordNames,
    name_digest,
)
from associations.models.querysets import NAMES_INDEX, TEXT_INDEX
from hubadmin.demo.sandbox.portal import DEFAULT_SPECS
from hubadmin.models import Role, User

T = TypeVar("T")
Row = tuple[Any, ...]

END = datetime(2026, 11, 1, tzinfo=UTC)
START = END - timedelta(days=3 * 365)
MONTHS = 36
PEOPLE = 200
OPEN = 5  # the last few entries are still `sending`
ODD = 12  # so many entries stand out in all that can be looked for, however long the log is
BATCH = 20_000

# --- who ------------------------------------------------------------------------------------------

_FIRST_NAMES = (
    "Ada Bruno Chiara Daniel Elif Femi Greta Hana Ivo Jun "
    "Kofi Lena Marek Noor Oskar Priya Quentin Rosa Sami Tess"
)
_LAST_NAMES = "Adeyemi Bauer Delgado Haddad Kaya Keller Leroy Novák O'Brien Zieliński"
_BROWSERS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.6 Safari/605",
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
]


@dataclass(frozen=True, slots=True)
class _Person:
    """Somebody at work; `months` are those in which they sent anything."""

    id: int
    name: str
    email: str
    share: float
    months: range
    client_ip: str
    user_agent: str


def has_left(number: int) -> bool:
    """Whether this person of the log was gone after the first year."""
    return number % 25 == 7


def subject(number: int) -> str:
    """What says in `User.subject` which person of the log it is: 0 has sent most."""
    return f"log-{number}"


def _months(number: int) -> range:
    if has_left(number):
        return range(MONTHS // 3)
    if number % 50 == 49:
        return range(20, 21)  # came and went within a month
    return range(number % 4 * 6, MONTHS)


def _people(using: str) -> list[_Person]:
    names = [f"{first} {last}" for last in _LAST_NAMES.split() for first in _FIRST_NAMES.split()][
        :PEOPLE
    ]
    new = [
        User(issuer="tests", subject=subject(n), name=name, email=f"p{n}@example.com")
        for n, name in enumerate(names)
    ]
    for user in new:
        user.role = Role.SUPPORT
    User.objects.using(using).bulk_create(new, ignore_conflicts=True)
    ids = dict(User.objects.using(using).filter(issuer="tests").values_list("subject", "id"))
    return [
        _Person(
            id=ids[user.subject],
            name=user.name,
            email=user.email,
            share=1 / (n + 3),
            months=_months(n),
            client_ip=f"2001:db8::{n:x}" if n % 9 == 0 else f"198.51.100.{n}",
            user_agent=_BROWSERS[n % len(_BROWSERS)],
        )
        for n, user in enumerate(new)
    ]


def _drawn(choices: Sequence[T], weights: Iterable[float], size: int) -> list[T]:
    """Each choice as often as its weight says, at least once: any index of the list is a draw."""
    totals = list(accumulate(weights))
    drawn, taken = [], 0
    for choice, total in zip(choices, totals, strict=True):
        until = max(taken + 1, round(size * total / totals[-1]))
        drawn += [choice] * (until - taken)
        taken = until
    return drawn[-size:]


# --- what -----------------------------------------------------------------------------------------

_PAIRS = {  # in parts of a thousand
    ("contacts", "companies"): 450,
    ("deals", "companies"): 150,
    ("tickets", "contacts"): 120,
    ("deals", "contacts"): 100,
    ("tickets", "companies"): 80,
    ("notes", "contacts"): 40,
    ("contacts", "contacts"): 20,
    ("companies", "companies"): 15,
    ("0-8", "deals"): 15,
    ("0-123", "contacts"): 5,
    ("contacts", "0-136"): 3,
    ("contacts", "2-4001"): 0.4,
    ("2-4001", "companies"): 0.2,
    ("p4242_car", "contacts"): 0.05,
}
ODD_TYPE = "0-420"
HOT_COMPANIES = [str(number) for number in range(7_730_450_001, 7_730_450_041)]
ODD_RECORD = "990011223344"


class _Pair(NamedTuple):
    from_type: str
    to_type: str
    there: str  # HubSpot's association type, as its answer tells it
    back: str


def _pair(from_type: str, to_type: str) -> _Pair:
    one, other = resolve(from_type).type_id, resolve(to_type).type_id
    unknown = {"associationCategory": "USER_DEFINED", "associationTypeId": 31}
    specs = (DEFAULT_SPECS.get(way, unknown) for way in ((one, other), (other, one)))
    return _Pair(from_type, to_type, *map(json.dumps, specs))


def _record_id(object_type: str, bits: int) -> str:
    """An id of 6 to 12 digits from 40 random bits; some companies come up again and again."""
    if object_type == "companies" and bits & 7 == 0:
        # The least of three draws: the first is by far the hottest.
        place = min(bits >> 10 & 63, bits >> 20 & 63, bits >> 30 & 63)
        return HOT_COMPANIES[place % len(HOT_COMPANIES)]
    least = 10 ** (5 + bits % 7)
    return str(least + (bits >> 3) % (9 * least))


_SENTENCES = [
    "Customer asked for it on the phone",
    "Merged two accounts, see the ticket",
    "Found while cleaning up duplicates",
    "New contact person since the reorganisation",
    "Deal was created for the wrong branch",
    "Wrong company after the import of {}",
    "As agreed with the account manager, order {}",
]
OLD_REASON = "Moved over from the former CRM"  # in many entries, none of them new
ODD_REASON = "Legal hold 2024-17: keep the quarantined pair together"


def _reason(bits: int, month: int) -> str:
    """A ticket mostly, sometimes a sentence, often nothing; from 32 random bits."""
    part = bits & 1023
    if part < 160 and month < 3:
        return f"{OLD_REASON}, batch {(bits >> 10) % 90}"
    if part < 614:
        return f"SUP-{(bits >> 10) % 90_000 + 10_000}"
    if part < 768:
        return _SENTENCES[part % len(_SENTENCES)].format((bits >> 10) % 900_000 + 100_000)
    return ""


# --- what they are called -------------------------------------------------------------------------

_BEGINNINGS = "Ash Bel Car Dun Fal Har Kes Mar"
_MIDDLES = "a e o en ing er and ul"
_ENDS = "by dale ford gate man ton"
_FAMILIES = [
    f"{a}{b}{c}" for a in _BEGINNINGS.split() for b in _MIDDLES.split() for c in _ENDS.split()
]
_TRADES = "Analytical Bakery Cartage Dynamics Energy Foods Glass Hardware Imports Joinery"
_FORMS = "GmbH Ltd Inc. Oy SARL"
ODD_NAME = "Wilhelmina Xylander"
OLD_NAME = "Krumm & Söhne"  # in many entries, none of them new
SEEN_BY_EMAIL = 8  # of so many contacts one was found by its address


def _record_name(object_type: str, object_id: str) -> str:
    """What a record is called, always the same."""
    if object_id == ODD_RECORD:
        return ODD_NAME
    drawn = int(object_id) * 2_654_435_761 % 2**32 >> 4
    family = _FAMILIES[drawn // 20 % len(_FAMILIES)]
    if object_type == "contacts":
        return f"{_FIRST_NAMES.split()[drawn % 20]} {family}"
    if object_type == "companies":
        return f"{family} {_TRADES.split()[drawn % 10]} {_FORMS.split()[drawn // 10 % 5]}"
    return f"{resolve(object_type).canonical} for {family}"


# --- what became of it ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ending:
    """One way to end, and how many of 100,000 do. `#` in `text` stands for the first id."""

    cause: Cause | None
    share: float
    http_status: int | None = None
    category: str = ""
    text: str = ""
    outcome: Outcome = Outcome.CANCELED
    tries: int = 1


def _ending(cause: Cause, share: float, *told: Any) -> _Ending:
    verdict = VERDICTS[cause]
    tries = 3 if verdict.retried else 1
    return _Ending(cause, share, *told, outcome=verdict.outcome, tries=tries)


_INVALID = "VALIDATION_ERROR"
_GATEWAY = "HTTP {} without a message (text/html)"
_ENDINGS = [
    _ending(Cause.CONFIRMED, 96_000, 200),
    _ending(Cause.IN_PROGRESS, 200, 200),
    _ending(Cause.NOT_SHOWN, 250, 200),
    _ending(Cause.PARTLY_FAILED, 40, 200, _INVALID, "The label of record # could not be set"),
    _ending(Cause.UNREADABLE, 20, 200),
    _ending(Cause.RECORD_NOT_FOUND, 1000, 400, _INVALID, "One or more associations are invalid"),
    _ending(Cause.RECORD_NOT_FOUND, 500, 404, "OBJECT_NOT_FOUND", "Object # could not be found"),
    _ending(Cause.UNKNOWN_OBJECT_TYPE, 60, 400, "", "Unable to infer object type from: p_car#"),
    _ending(
        Cause.NO_DEFAULT_TYPE,
        150,
        400,
        _INVALID,
        "No default association type exists between CONTACT and LISTING",
    ),
    _ending(
        Cause.ASSOCIATION_LIMIT,
        120,
        400,
        _INVALID,
        "Record # has reached the association limit of 1 for the label Primary",
    ),
    _ending(Cause.REFUSED, 60, 409, "CONFLICT", "Record # is being changed by another request"),
    _ending(Cause.REDIRECTED, 3, 302, "", "HTTP 302 without a message (text/html)"),
    _ending(
        Cause.TOKEN_REFUSED,
        20,
        401,
        "INVALID_AUTHENTICATION",
        "Authentication credentials not found. This API supports OAuth 2.0 authentication.",
    ),
    _ending(
        Cause.SCOPE_MISSING,
        120,
        403,
        "MISSING_SCOPES",
        "This app hasn't been granted all required scopes to make this call.",
    ),
    _ending(Cause.FORBIDDEN, 10, 403, "BANNED", "You do not have permission to edit record #"),
    _ending(Cause.LOCKED, 30, 423, "", "Record # is locked by an import"),
    _ending(Cause.RATE_LIMITED, 400, 429, "", "You have reached your ten_secondly_rolling limit."),
    _ending(Cause.DAILY_LIMIT, 30, 429, "", "You have reached your daily limit."),
    _ending(Cause.MIGRATING, 5, 477, "", "The account is being migrated"),
    _ending(Cause.HUBSPOT_ERROR, 100, 500, "INTERNAL_ERROR", "internal error"),
    *(_ending(Cause.HUBSPOT_DOWN, 80, code, "", _GATEWAY.format(code)) for code in (502, 503, 504)),
    _ending(Cause.TIMED_OUT, 200, None, "", "no answer within 10 seconds"),
    _ending(Cause.CONNECTION_LOST, 60, None, "", "the connection was closed before an answer"),
    _ending(Cause.INTERRUPTED, 20),
    _ending(Cause.NO_CONNECTION, 60, None, "", "[Errno 111] Connection refused"),
    _Ending(None, 20),
]
ODD_CATEGORY, ODD_STATUS, ODD_WORD = "PORTAL_SUSPENDED", 418, "brontosaurus"
_ODD_ENDING = _ending(
    Cause.REFUSED, 0, ODD_STATUS, ODD_CATEGORY, f"Portal 4242 is suspended: unpaid {ODD_WORD}"
)
OLD_WORD = "maintenance"
_OLD_ENDING = _ending(
    Cause.HUBSPOT_ERROR, 0, 500, "INTERNAL_ERROR", f"Associations are under {OLD_WORD}"
)
_OPEN_ENDING = _Ending(None, 0, outcome=Outcome.SENDING)

# --- what was seen --------------------------------------------------------------------------------


class _Seen(NamedTuple):
    """What a look before and one after the request gave; of 65,536 so many."""

    share: float
    was_linked: int | None
    verified: int | None = None
    cause: str = ""
    is_checked: bool = False  # somebody looks once more, later


_NOT_ASKED = _Seen(1, None)
_NO = [_Seen(62_000, 0), _Seen(2_000, 1), _Seen(1_500, None)]
_SEEN: dict[Outcome, list[_Seen]] = {
    Outcome.LINKED: [
        _Seen(60_000, 0, 1),
        _Seen(3_000, 1, 1),
        _Seen(1_200, None, 1),
        _Seen(400, 0, None, Cause.RATE_LIMITED.value),
        _Seen(150, 0, None, Cause.TIMED_OUT.value, is_checked=True),
        _Seen(250, 0, 0),
        _Seen(60, 0, 0, is_checked=True),
        _Seen(40, 0, 1, is_checked=True),
    ],
    Outcome.UNCONFIRMED: [
        _Seen(35_000, 0, 1),
        _Seen(10_000, 0, 0),
        _Seen(15_000, 0, 0, is_checked=True),
        _Seen(3_000, None, None, Cause.SCOPE_MISSING.value, is_checked=True),
    ],
    Outcome.UNREACHABLE: [
        _Seen(20_000, 0, 1),
        _Seen(15_000, 0, 0),
        _Seen(10_000, None, None, Cause.HUBSPOT_DOWN.value),
        _Seen(20_000, None, None, Cause.TIMED_OUT.value, is_checked=True),
    ],
    Outcome.REJECTED: _NO,
    Outcome.CANCELED: [_NOT_ASKED],
}

# --- requests -------------------------------------------------------------------------------------


class _Case(NamedTuple):
    """One request, before it is put into columns."""

    id: int
    person: _Person
    pair: _Pair
    from_id: str
    to_id: str
    reason: str
    ending: _Ending
    tries: int
    created: int  # milliseconds since 1970
    duration: int
    seen: _Seen
    hex: str  # 112 random digits

    @property
    def correlation_id(self) -> str:
        h = self.hex
        return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:32]}"

    @property
    def last_try(self) -> int:
        return self.created + 2 + 3000 * (self.tries - 1)

    @property
    def answered(self) -> int:
        return self.last_try + self.duration


def _cases(rows: int, first: int, people: list[_Person]) -> Iterator[_Case]:
    rng = Random(rows)
    bits = rng.getrandbits
    pairs = _drawn([_pair(*types) for types in _PAIRS], _PAIRS.values(), 1 << 16)
    endings = _drawn(_ENDINGS, [ending.share for ending in _ENDINGS], 1 << 16)
    seen = _drawn_of_each_outcome()
    crews = [_crew(people, month) for month in range(MONTHS)]
    start, length = int(START.timestamp() * 1000), int((END - START).total_seconds() * 1000)
    step = max(1, length // (rows + 3))
    for n in range(rows):
        month, pair = n * MONTHS // rows, pairs[bits(16)]
        ending = _OLD_ENDING if month == 7 and bits(3) == 0 else endings[bits(16)]
        from_id = _record_id(pair.from_type, bits(40))
        yield _Case(
            first + n,
            crews[month][bits(12)],
            pair,
            from_id,
            _record_id(pair.to_type, bits(40)),
            _reason(bits(32), month),
            ending,
            2 if ending.tries == 1 and bits(6) == 0 else ending.tries,
            start + n * step + bits(40) % (3 * step),  # not quite in the order of the ids
            10_000 if ending.cause is Cause.TIMED_OUT else 80 + bits(8),
            seen[ending.outcome][bits(16)],
            f"{bits(448):0112x}",
        )


def _crew(people: list[_Person], month: int) -> list[_Person]:
    present = [person for person in people if month in person.months]
    return _drawn(present, [person.share for person in present], 1 << 12)


def _drawn_of_each_outcome() -> dict[Outcome, list[_Seen]]:
    return {
        outcome: _drawn(choices, [each.share for each in choices], 1 << 16)
        for outcome, choices in _SEEN.items()
    }


def _with_special_ones(cases: Iterator[_Case], rows: int) -> Iterator[_Case]:
    """The same, but for the odd ones and those at the end that are still open."""
    odd = {
        "pair": _pair(ODD_TYPE, "contacts"),
        "from_id": ODD_RECORD,
        "reason": ODD_REASON,
        "ending": _ODD_ENDING,
        "seen": _NO[0],
    }
    still_open = {"ending": _OPEN_ENDING, "seen": _NOT_ASKED}
    every, last = max(2, rows // ODD), rows - min(OPEN, rows // 10)
    for n, case in enumerate(cases):
        if n % every == every // 2:
            yield case._replace(**odd)
        else:
            yield case if n < last else case._replace(**still_open)


# --- answers --------------------------------------------------------------------------------------

_PAGE = "<html><head><title>Bad Gateway</title></head><body>cloudflare</body></html>"
_EPOCH = datetime(1970, 1, 1)  # SQLite's form of a time has no zone


def _moment(milliseconds: int) -> str:
    """As both databases take it; never at a full second, where SQLite's form would be shorter."""
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03}123"


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat(" ")


class _Answer(NamedTuple):
    """The columns that HubSpot's answer fills in."""

    status: str = ""
    results: str = "[]"
    errors: str = "[]"
    started_at: str | None = None
    completed_at: str | None = None
    text: str = ""
    correlation_id: str = ""
    body: str = ""


def _answer(case: _Case) -> _Answer:
    ending = case.ending
    text = ending.text.replace("#", case.from_id)
    if ending.http_status is None:
        return _Answer(text=text)
    if ending.cause is Cause.UNREADABLE or text.startswith("HTTP"):
        return _Answer(text=text, correlation_id=case.correlation_id, body=_PAGE)
    return _success(case, text) if ending.http_status == 200 else _refusal(case, text)


def _success(case: _Case, text: str) -> _Answer:
    cause = case.ending.cause
    status = "PROCESSING" if cause is Cause.IN_PROGRESS else "COMPLETE"
    results = _results(case) if cause in (Cause.CONFIRMED, Cause.PARTLY_FAILED) else "[]"
    errors = f'[{{"category": "{case.ending.category}", "message": "{text}"}}]' if text else "[]"
    times = (case.last_try + 30, case.answered)
    started, completed = (_moment(time)[:23] for time in times)  # HubSpot's end in milliseconds
    body = (
        f'{{"status": "{status}", "results": {results}, "errors": {errors}, '
        f'"startedAt": "{started[:10]}T{started[11:]}Z", '
        f'"completedAt": "{completed[:10]}T{completed[11:]}Z"}}'
    )
    return _Answer(status, results, errors, started, completed, text, case.correlation_id, body)


def _results(case: _Case) -> str:
    one, other, pair = case.from_id, case.to_id, case.pair
    return (
        f'[{{"from": {{"id": "{one}"}}, "to": {{"id": "{other}"}}, '
        f'"associationSpec": {pair.there}}}, '
        f'{{"from": {{"id": "{other}"}}, "to": {{"id": "{one}"}}, '
        f'"associationSpec": {pair.back}}}]'
    )


def _refusal(case: _Case, text: str) -> _Answer:
    told: dict[str, Any] = {
        "status": "error",
        "message": text,
        "correlationId": case.correlation_id,
    }
    if case.ending.category:
        told["category"] = case.ending.category
    if case.ending.cause is Cause.RECORD_NOT_FOUND:
        told["context"] = {"INVALID_OBJECT_IDS": [f"{case.from_id} is not valid"]}
    body, correlation_id = json.dumps(told), case.correlation_id
    return _Answer("error", "[]", f"[{body}]", None, None, text, correlation_id, body)


# --- rows -----------------------------------------------------------------------------------------

# In the order in which the rows are put together.
_ENTRY_FIELDS = """
id user user_name user_email from_object_type from_object_id to_object_type
to_object_id reason api_version outcome cause http_status status results num_errors errors links
requested_at started_at completed_at error_category error_text correlation_id body was_linked
verified verified_at unverified_cause created_at sent_at finished_at client_ip user_agent request_id
submit_key from_name_digest to_name_digest
"""
_ATTEMPT_FIELDS = """
id request number started_at duration_ms http_status headers body body_complete failure detail late
"""
_NAMES_FIELDS = "entry from_name from_typed from_salt to_name to_typed to_salt"
_CHECK_FIELDS = """
id entry user user_name checked_at duration_ms is_linked types cause error_text client_ip request_id
"""

_TOO_MANY = (
    *(429, '{"Content-Type": "application/json", "X-HubSpot-RateLimit-Remaining": "0"}'),
    '{"status": "error", "errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}',
)


def _entry(case: _Case, answer: _Answer, names: Row | None) -> Row:
    person, pair, ending, created_at = case.person, case.pair, case.ending, _moment(case.created)
    was_sent = ending.outcome is not Outcome.CANCELED
    is_closed = ending.outcome is not Outcome.SENDING
    seen, looked = case.seen, case.answered + 60
    return (
        *(case.id, person.id, person.name, person.email),
        *(pair.from_type, case.from_id, pair.to_type, case.to_id, case.reason, "v4"),
        *(ending.outcome.value, ending.cause.value if ending.cause else "", ending.http_status),
        *(answer.status, answer.results, None, answer.errors, "{}"),
        *(None, answer.started_at, answer.completed_at),
        *(ending.category, answer.text, answer.correlation_id, answer.body),
        *(seen.was_linked, seen.verified),
        *(None if seen.verified is None else _moment(looked), seen.cause),
        *(created_at, created_at if was_sent else None),
        _moment(looked + 9) if is_closed else None,
        *(person.client_ip, person.user_agent, case.hex[32:64]),
        # In the order of the ids: any other would take long to index.
        f"{case.id:010x}{case.hex[64:76]}",
        *(_digests(names) if names else ("", "")),
    )


def _names(case: _Case) -> Row:
    one = _record_name(case.pair.from_type, case.from_id)
    if case.reason.startswith(OLD_REASON):
        one = f"{OLD_NAME} {case.from_id[-2:]}"
    is_typed = case.pair.from_type == "contacts" and int(case.from_id) % SEEN_BY_EMAIL == 0
    typed = f"{one.lower().replace(' ', '.')}@example.com" if is_typed else ""
    other = _record_name(case.pair.to_type, case.to_id)
    return (case.id, one, typed, case.hex[:32], other, "", case.hex[80:])


def _digests(names: Row) -> tuple[str, str]:
    _entry_id, one, typed, salt, other, other_typed, other_salt = names
    return name_digest(salt, one, typed), name_digest(other_salt, other, other_typed)


def _attempts(case: _Case, answer: _Answer) -> list[Row]:
    """The exchanges of a request, without their ids."""
    ending = case.ending
    if ending.cause is None or ending.cause is Cause.INTERRUPTED:
        return []
    failure = ending.cause.value if ending.http_status is None else ""
    told = (ending.http_status, _headers(answer), answer.body)
    ended = (1, failure, answer.text if failure else "")
    last = (case.id, case.tries, _moment(case.last_try), case.duration, *told, *ended, 0)
    if case.tries == 1:
        return [last]
    if ending.tries == 1:
        told, ended = _TOO_MANY, (1, "", "")
    times = [_moment(case.created + 2 + 3000 * n) for n in range(case.tries - 1)]
    rows = [(case.id, n, at, 95, *told, *ended, 0) for n, at in enumerate(times, 1)]
    if failure and case.id % 50 == 0:  # one that nobody waited for any more
        return [*rows, last, (case.id, case.tries + 1, last[2], 31_000, *_TOO_MANY, 1, "", "", 1)]
    return [*rows, last]


def _checks(case: _Case) -> list[Row]:
    """Later looks of whoever had asked, without their ids; one of three cannot be made."""
    if not case.seen.is_checked:
        return []
    person, turn = case.person, case.id % 3
    types = f'[{{"category": "HUBSPOT_DEFINED", "typeId": {case.id % 500 + 1}, "label": null}}]'
    found = ((1, types, "", ""), (0, "[]", "", ""), (None, "[]", "timed_out", "no answer"))[turn]
    looks = [case.answered + 90_000 * n for n in range(1, 2 + (turn == 2))]
    told = (person.client_ip, case.hex[32:64])
    return [(case.id, person.id, person.name, _moment(at), 120, *found, *told) for at in looks]


def _headers(answer: _Answer) -> str:
    if not answer.body:
        return "{}"
    kind = "text/html" if answer.body == _PAGE else "application/json"
    # Put together by hand: json.dumps would take as long as all the rest.
    return (
        f'{{"Content-Type": "{kind}", "X-HubSpot-Correlation-Id": "{answer.correlation_id}", '
        f'"X-HubSpot-RateLimit-Remaining": "187"}}'
    )


class _Batch(NamedTuple):
    """Rows to insert."""

    entries: list[Row]
    names: list[Row]
    attempts: list[Row]
    checks: list[Row]


def _batches(
    cases: Iterator[_Case], first_attempt: int, first_check: int, *, named: bool
) -> Iterator[_Batch]:
    attempt_ids, check_ids = count(first_attempt), count(first_check)
    while batch := list(islice(cases, BATCH)):
        answered = [(case, _answer(case)) for case in batch]
        names = [_names(case) if named else None for case in batch]
        yield _Batch(
            [_entry(*pair, own) for pair, own in zip(answered, names, strict=True)],
            [own for own in names if own],
            _numbered(attempt_ids, [row for pair in answered for row in _attempts(*pair)]),
            _numbered(check_ids, [row for case in batch for row in _checks(case)]),
        )


def _numbered(ids: Iterator[int], rows: list[Row]) -> list[Row]:
    return [(next(ids), *row) for row in rows]


# --- into the database ----------------------------------------------------------------------------

_FILLED = (AssociationRequest, RecordNames, AssociationAttempt, AssociationCheck)


def fill(rows: int, *, using: str = "default", attempts: bool = True, named: bool = True) -> None:
    """Add so many entries, their names, attempts and checks, to a migrated database.

    Triggers, indexes and foreign keys are away meanwhile. If it fails half way, they stay away on
    SQLite (unless a transaction around it is rolled back); PostgreSQL undoes it all.
    """
    connection = connections[using]
    on_postgresql = connection.vendor == "postgresql"
    whole = transaction.atomic(using=using) if on_postgresql else _quick_sqlite(connection)
    with whole, _bare_tables(connection):
        first = _next_id(AssociationRequest, using)
        cases = _with_special_ones(_cases(rows, first, _people(using)), rows)
        firsts = _next_id(AssociationAttempt, using), _next_id(AssociationCheck, using)
        for batch in _batches(cases, *firsts, named=named):
            with transaction.atomic(using=using):
                _insert(connection, AssociationRequest, _ENTRY_FIELDS, batch.entries)
                _insert(connection, RecordNames, _NAMES_FIELDS, batch.names)
                _insert(connection, AssociationCheck, _CHECK_FIELDS, batch.checks)
                if attempts:
                    _insert(connection, AssociationAttempt, _ATTEMPT_FIELDS, batch.attempts)
    if on_postgresql:
        _give_numbers(connection)
        # It does so by itself after a while; SQLite does not, so that plans there are without.
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE" if connection.in_atomic_block else "VACUUM (ANALYZE)")


def _give_numbers(connection: Any) -> None:
    """No seal holds a row whose number the database has not given."""
    with connection.cursor() as cursor:
        for model in (AssociationRequest, AssociationAttempt, AssociationCheck):
            table = model._meta.db_table
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"
            )


def _next_id(model: type[models.Model], using: str) -> int:
    return (model.objects.using(using).aggregate(last=Max("id"))["last"] or 0) + 1


def _insert(connection: Any, model: type[models.Model], names: str, rows: list[Row]) -> None:
    fields = [model._meta.get_field(name) for name in names.split()]
    columns = ", ".join(field.column for field in fields)
    table = f"{model._meta.db_table} ({columns})"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} FROM STDIN (NULL '~')") as copy:
                copy.write(_copied(rows))
        else:
            values = ", ".join(["%s"] * len(fields))
            cursor.executemany(f"INSERT INTO {table} VALUES ({values})", rows)


def _copied(rows: list[Row]) -> str:
    """The rows in COPY's own format; they hold no tabs and no line breaks."""
    lines = ("\t".join(["~" if value is None else str(value) for value in row]) for row in rows)
    return "".join(f"{line}\n" for line in lines).replace("\\", "\\\\")


@contextmanager
def _quick_sqlite(connection: Any) -> Iterator[None]:
    """A large cache and no wait for the disk, as far as a transaction around it lets us."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA cache_size = -262144")
        cursor.execute("PRAGMA ignore_check_constraints = ON")
        if not connection.in_atomic_block:
            cursor.execute("PRAGMA synchronous = OFF")
        yield
        cursor.execute("PRAGMA ignore_check_constraints = OFF")
        cursor.execute("PRAGMA cache_size = -2000")
        if not connection.in_atomic_block:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.execute("PRAGMA synchronous = FULL")


@contextmanager
def _bare_tables(connection: Any) -> Iterator[None]:
    triggers.remove(connection.alias)
    tables = [model._meta.db_table for model in _FILLED]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
        back = [sql for table in tables for sql in _taken_off(connection.vendor, cursor, table)]
        yield
        for sql in back:
            cursor.execute(sql)
        if connection.vendor == "sqlite":
            for index in (TEXT_INDEX, NAMES_INDEX):
                cursor.execute(f"INSERT INTO {index}({index}) VALUES ('rebuild')")
    triggers.install(connection.alias)


_CONSTRAINTS = """
SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname),
       format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname,
              pg_get_constraintdef(oid))
FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('f', 'u')
"""
_INDEXES = """
SELECT format('DROP INDEX %%s', indexrelid::regclass), pg_get_indexdef(indexrelid)
FROM pg_index WHERE indrelid = %s::regclass AND NOT indisprimary
"""
_SQLITE_INDEXES = """
SELECT 'DROP INDEX "' || name || '"', sql FROM sqlite_master
WHERE type = 'index' AND tbl_name = %s AND sql IS NOT NULL
"""


def _taken_off(vendor: str, cursor: Any, table: str) -> list[str]:
    """Drop what slows inserting down; return the SQL that brings it back."""
    back = []
    for found in [_CONSTRAINTS, _INDEXES] if vendor == "postgresql" else [_SQLITE_INDEXES]:
        cursor.execute(found, [table])
        for drop, create in cursor.fetchall():
            cursor.execute(drop)
            back.append(create)
    return back
