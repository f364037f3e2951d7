"""Every way to read the log: whose entries, which of them, and a page of them at a time.

The list is ordered by (created_at, id), newest first, and so is every index that serves it: each
filter, with or without a range of dates, reads one stretch of one index.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial, reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Self

from django.db import connections, models
from django.db.models import Exists, F, Func, OuterRef, Q, Subquery, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Concat, StrIndex, Upper
from django.db.models.lookups import GreaterThan, GreaterThanOrEqual, LessThan

from associations.hubspot.outcomes import Cause, Outcome
from associations.models.readable import UnreadableRow, read_rows

if TYPE_CHECKING:
    from associations.models.requests import AssociationRequest
    from hubadmin.models import User

OPEN_OUTCOMES = (Outcome.QUEUED, Outcome.SENDING)
PERHAPS_LINKED = (Outcome.LINKED, Outcome.UNCONFIRMED, Outcome.UNREACHABLE)
# Accepted, or perhaps so, but nobody has seen the link. It says which outcomes are none of these:
# for those that are, SQLite would follow the index of the outcomes and sort all that it finds.
NOT_VERIFIED = Q(
    *(~Q(outcome=each) for each in Outcome if each not in PERHAPS_LINKED),
    Q(verified__isnull=True) | Q(verified=False),
)
# What was seen of links, by the name that a filter has for it; of an undo it means the opposite.
SEEN = {
    "verified": Q(verified=True, undoes=None),
    "already": Q(was_linked=True),
    # Where nothing was sent there is nothing to verify.
    "not_verified": NOT_VERIFIED & ~Q(cause=Cause.NO_CONNECTION) & Q(undoes=None),
}
COUNTED_AT_MOST = 10_001  # more are "10,000+"
TEXT_INDEX = "associations_request_text"  # on SQLite: FTS5 over `reason` and `error_text`
TEXTS = ("reason", "error_text")
NAMES_INDEX = "associations_names_text"  # the same, over the names of records
NAMES = ("from_name", "from_typed", "to_name", "to_typed")
TRIGRAM = 3  # characters; what is shorter no index finds
# A text in at least so many of the newest entries is met on the way; a rarer one is looked up.
SAMPLE, COMMON = 5_000, 10
# The same of names, which stand in a table of their own; and how many are read in any order.
NAMES_SAMPLE, NAMES_COMMON, FEW = 2_000, 50, 500

# What the sweep may find that is not as it was meant.
CHANGED = ("gone", "other_type", "from_deleted", "to_deleted")
# Which entries are swept, and which say anew what their two records are to each other.
SWEPT = Q(outcome=Outcome.LINKED)
SETTLES = SWEPT | Q(undoes__isnull=False) & ~Q(outcome__in=(Outcome.CANCELED, Outcome.REJECTED))
OF_PAIR = ("from_object_type", "from_object_id", "to_object_type", "to_object_id")

# created_at and id: where in the list. The time may be as the database has it: see _Raw.
Position = tuple[Any, int]
_BEGINNING: Position = (datetime(1970, 1, 1, tzinfo=UTC), 0)
_MATCHES = f"SELECT rowid FROM {TEXT_INDEX} WHERE {TEXT_INDEX} MATCH %s"
_NAMED = f"SELECT rowid FROM {NAMES_INDEX} WHERE {NAMES_INDEX} MATCH %s"


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries of the log are wanted; what is empty does not matter.

    Types in canonical form. `since` is part of the range, `until` is not. A record matches on
    either side, of any type unless one is given. Texts match anywhere, A to Z in either case.
    """

    users: tuple[int, ...] = ()
    outcomes: tuple[str, ...] = ()
    from_object_type: str = ""
    to_object_type: str = ""
    record_type: str = ""
    record_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    error_category: str = ""
    http_status: int | None = None
    correlation_id: str = ""
    request_id: str = ""
    name: str = ""  # of a record of either side, or what it was found by
    reason: str = ""
    error_words: tuple[str, ...] = ()
    seen: str = ""  # one of SEEN, or `changed`: what the sweep has found is so still
    run: int | None = None


class _Raw(Func):
    """A time in the database's own words, as Python may have none for it."""

    # As it is, whatever it was declared to be; what is no text at all comes after all times.
    template = (
        "CASE WHEN replace(%(expressions)s,char(65533),'') GLOB '*' || char(65533) || '*' "
        "THEN char(65533) ELSE +%(expressions)s END"
    )
    output_field = models.TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="(%(expressions)s)::text", **context)


class _Row(Func):
    """`(a, b)`: compared as a whole, which an index over both columns answers."""

    template = "(%(expressions)s)"
    output_field = models.BooleanField()


class _IsOneOf(Func):
    """PostgreSQL finds these first, however many it expects."""

    template, arg_joiner = "%(expressions)s)", " = ANY(ARRAY"
    output_field = models.BooleanField()


class _IsAmong(Func):
    """Looked at on the way: neither database takes it for a way to find entries."""

    template, arg_joiner = "(%(expressions)s) IS TRUE", " IN "
    output_field = models.BooleanField()


class _Unordered(Func):
    """A time that no index of PostgreSQL has, though it is the same."""

    template = "(%(expressions)s + interval '0')"
    output_field = models.DateTimeField()


class AssociationRequestQuerySet(models.QuerySet["AssociationRequest"]):
    is_scattered = False  # whether a page of it is best found by its places, and then read
    is_rare = False  # whether all of it is to be found first, and then put in order

    def _clone(self) -> Self:
        # The types of Django leave this method out; it is how a query keeps what was set on it.
        clone: Self = super()._clone()  # type: ignore[misc]
        clone.is_scattered, clone.is_rare = self.is_scattered, self.is_rare
        return clone

    def visible_to(self, user: "User") -> Self:
        """Admins see every entry, everybody else their own."""
        return self if user.is_admin else self.filter(user=user)

    def of(self, user: "User") -> Self:
        return self.filter(user=user)

    def of_pair(self, entry: "AssociationRequest") -> Self:
        """Entries about the same two records, in either direction."""
        from_, to = (
            (entry.from_object_type, entry.from_object_id),
            (entry.to_object_type, entry.to_object_id),
        )
        return self.filter(_pair(from_, to) | _pair(to, from_))

    def swept(self, since: datetime, until: datetime) -> Self:
        """Entries whose link is looked at once a day, if nothing has settled their pair since."""
        return self.filter(SWEPT, created_at__gte=since, finished_at__lt=until)

    def settling(self) -> Self:
        return self.filter(SETTLES)

    def closed(self) -> Self:
        """Those that will not change any more."""
        return self.exclude(outcome__in=OPEN_OUTCOMES).filter(look_due__isnull=True)

    def newest_first(self) -> Self:
        return self.order_by(self._time().desc(), "-id")

    def oldest_first(self) -> Self:
        return self.order_by(self._time().asc(), "id")

    def _time(self) -> Any:
        # What is rare, and common long ago, PostgreSQL expects to meet soon on its way through the
        # whole list; where that is not in order, it goes by the index that knows it.
        return _Unordered("created_at") if self.is_rare else F("created_at")

    def for_list(self) -> Self:
        """Newest first, without what only the entry's own page shows."""
        unused = ("body", "results", "links", "user_agent", "submit_key")
        return self.newest_first().select_related("names").defer(*unused)

    def with_undone(self) -> Self:
        """Let each row tell whether its link was taken back since: `was_undone`."""
        undos = self.model.objects.filter(undoes=OuterRef("pk"), outcome=Outcome.UNLINKED)
        return self.annotate(was_undone=Exists(undos))

    def older_than(self, created_at: Any, pk: int) -> Self:
        return self.filter(LessThan(_Row("created_at", "id"), _position(created_at, pk)))

    def not_older_than(self, created_at: Any, pk: int) -> Self:
        position = _position(created_at, pk)
        return self.filter(GreaterThanOrEqual(_Row("created_at", "id"), position))

    def newer_than(self, created_at: Any, pk: int) -> Self:
        return self.filter(GreaterThan(_Row("created_at", "id"), _position(created_at, pk)))

    def position_of(self, pk: int) -> Position:
        """Where an entry stands in the list; one that is gone stands right after its neighbour."""
        nearest = self.filter(id__lte=pk).order_by("-id").places().first()
        if nearest is None:
            return _BEGINNING
        created_at, found = nearest
        return created_at, found if found == pk else found + 1

    def places(self) -> Any:
        """The position of each entry."""
        return self.values_list(_Raw("created_at"), "id")

    def abandoned(self, sent_before: datetime) -> Self:
        """Entries whose call must have ended by now, one way or the other: its process has died.

        Not those of a run, which its workers take up again.
        """
        return self.filter(outcome=Outcome.SENDING, sent_at__lt=sent_before, run=None)

    def look_due(self, sent_before: datetime) -> Self:
        """Entries for whose look afterwards no page has come by now."""
        return self.filter(look_due__isnull=False, sent_at__lt=sent_before)

    def by_hand(self, user: "User") -> Self:
        """What a person has sent by the form."""
        return self.of(user).filter(run=None)

    # --- filters --------------------------------------------------------------------------------

    def matching(self, wanted: AuditFilter, *, by_index: bool = False) -> Self:
        """The entries that the filter wants; texts by their index, if that is said, or as is best.

        To count what is common by its index takes less than to meet it on the way.
        """
        found = self.filter(**_equal(wanted))
        if wanted.users:
            found = found.filter(user__in=wanted.users)
        if wanted.outcomes:
            found = found.filter(outcome__in=wanted.outcomes)
        if wanted.error_category:
            # The index leaves out the many entries without one.
            found = found.filter(error_category=wanted.error_category).exclude(error_category="")
        if wanted.correlation_id:
            found = found.filter(correlation_id=wanted.correlation_id).exclude(correlation_id="")
        if wanted.request_id:
            found = found.filter(request_id=wanted.request_id).exclude(request_id="")
        if wanted.record_id:
            found = found.filter(_side("from", wanted) | _side("to", wanted))
        if wanted.seen == "changed":
            found = found.filter(pk__in=found._changed())
        elif wanted.seen:
            found = found.filter(SEEN[wanted.seen])
        if wanted.name:
            found = found._with_name(wanted.name)
        texts = [("reason", wanted.reason)] if wanted.reason else []
        texts += [("error_text", word) for word in wanted.error_words]
        return found._with_texts(texts, by_index=by_index) if texts else found

    def branches(self, wanted: AuditFilter, *, by_index: bool = False) -> list[Self]:
        """What `matching()` finds, in parts without overlap that each follow one index.

        A database cannot follow an index for one of several values and keep the list's order; it
        would sort all that there is, or walk the whole list for somebody who left years ago.
        """
        matching = partial(self.matching, by_index=by_index)
        if wanted.record_id:
            rest = matching(replace(wanted, record_id="", record_type=""))
            from_side, to_side = _side("from", wanted), _side("to", wanted)
            return [rest.filter(from_side), rest.filter(to_side).exclude(from_side)]
        if len(wanted.users) > 1:
            return [matching(replace(wanted, users=(user,))) for user in wanted.users]
        if len(wanted.outcomes) > 1:
            return [matching(replace(wanted, outcomes=(each,))) for each in wanted.outcomes]
        return [matching(wanted)]

    def _with_texts(self, texts: list[tuple[str, str]], *, by_index: bool) -> Self:
        """Entries with each text in its field: by the text index, or on the way if it is common.

        The databases cannot tell which is shorter: to them, words of one sentence have nothing to
        do with each other.
        """
        indexed = [(field, text) for field, text in texts if len(text) >= TRIGRAM]
        on_postgresql = connections[self.db].vendor == "postgresql"
        is_looked_up = by_index and on_postgresql
        if not indexed or (not is_looked_up and self._every()._has_often(texts)):
            return self._read_through(texts)
        found = self.filter(*(Q((f"{field}__icontains", text)) for field, text in texts))
        if on_postgresql:
            found.is_rare = True
            return found.newest_first() if found.query.order_by else found
        doubled = [(field, text.replace('"', '""')) for field, text in indexed]
        phrases = " AND ".join(f'{field} : "{text}"' for field, text in doubled)
        return found.filter(id__in=RawSQL(_MATCHES, [phrases]))

    def _with_name(self, text: str) -> Self:
        """Entries one of whose records is called so, or was found by that.

        A name that is met everywhere is met on the way. Others are looked up in their index: few
        are read at once, many are met on the way through an index that tells nothing but order.
        """
        # The highest numbers are near enough to the newest, and at hand without the entries.
        names = self._names()
        newest = names.filter(pk__in=names.order_by("-pk").values("pk")[:NAMES_SAMPLE])
        is_common = text.isascii() and _called(newest, text)[:NAMES_COMMON].count() == NAMES_COMMON
        if is_common or len(text) < TRIGRAM:
            return _called(self, text, "names__")
        if self.number_named(text, FEW + 1) > FEW:
            found = self.filter(_IsAmong(F("id"), self._ids_named(text)))
            found.is_scattered = True
            return found
        if connections[self.db].vendor == "postgresql":
            return self.filter(_IsOneOf(F("id"), self._ids_named(text)))
        return self.filter(id__in=self._ids_named(text))

    def _changed(self) -> Any:
        """The ids of the entries whose link is not what it was, when last looked at."""
        checks: Any = self.model.checks.rel.related_model._default_manager.using(self.db)
        return checks.standing().filter(finding__in=CHANGED).values("entry")

    def number_named(self, text: str, at_most: int) -> int:
        """How many entries there are with this name, counted no further than that."""
        return self._names().filter(pk__in=self._ids_named(text, at_most)).count()

    def _names(self) -> Any:
        return self.model.names.related.related_model._base_manager.using(self.db)

    def _ids_named(self, text: str, at_most: int | None = None) -> Any:
        """The ids of the entries with this name, by its index; A to Z and more in either case."""
        if connections[self.db].vendor == "postgresql":
            has_text = reduce(or_, (Q((f"{name}__icontains", text)) for name in NAMES))
            return Subquery(self._names().filter(has_text).values("pk")[:at_most])
        phrase = '"{}"'.format(text.replace('"', '""'))
        return RawSQL(f"{_NAMED} LIMIT %s", [phrase, -1 if at_most is None else at_most])

    def _every(self) -> Self:
        return type(self)(self.model, using=self.db)

    def _has_often(self, texts: list[tuple[str, str]]) -> bool:
        newest = self.filter(id__in=self.newest_first().values("id")[:SAMPLE])
        return newest._read_through(texts)[:COMMON].count() == COMMON

    def _read_through(self, texts: list[tuple[str, str]]) -> Self:
        """Entries with the texts, found in a way that no index offers itself for."""
        found = self
        for number, (field, text) in enumerate(texts):
            place = StrIndex(Upper(field), Upper(Value(text)))
            found = found.alias(**{f"place_{number}": place}).filter(**{f"place_{number}__gt": 0})
        return found


def _called(rows: Any, text: str, prefix: str = "") -> Any:
    """The rows of which a name has the text, found in a way that no index offers itself for."""
    # No name has a line break in it.
    parts = [part for name in NAMES for part in (Value("\n"), F(f"{prefix}{name}"))]
    place = StrIndex(Upper(Concat(*parts)), Upper(Value(text)))
    return rows.alias(place_of_name=place).filter(place_of_name__gt=0)


def settled_since(entries: AssociationRequestQuerySet, prefix: str = "") -> Q:
    """The condition that of an entry's pair there is a later one; `prefix` leads to the entry."""
    one, other = ([OuterRef(f"{prefix}{name}") for name in OF_PAIR[i : i + 2]] for i in (0, 2))
    later = entries.settling().filter(pk__gt=OuterRef(f"{prefix}pk"))
    there, back = (dict(zip(OF_PAIR, each, strict=True)) for each in (one + other, other + one))
    return Q(Exists(later.filter(**there))) | Q(Exists(later.filter(**back)))


def _equal(wanted: AuditFilter) -> dict[str, object]:
    """The conditions that are plain comparisons."""
    asked = {
        "from_object_type": wanted.from_object_type or None,
        "to_object_type": wanted.to_object_type or None,
        "http_status": wanted.http_status,
        "run": wanted.run,
        "created_at__gte": wanted.since,
        "created_at__lt": wanted.until,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _side(side: str, wanted: AuditFilter) -> Q:
    condition = Q(**{f"{side}_object_id": wanted.record_id})
    if wanted.record_type:
        condition &= Q(**{f"{side}_object_type": wanted.record_type})
    return condition


def _pair(from_: tuple[str, str], to: tuple[str, str]) -> Q:
    return Q(
        from_object_type=from_[0], from_object_id=from_[1], to_object_type=to[0], to_object_id=to[1]
    )


def _position(created_at: Any, pk: int) -> _Row:
    field = models.DateTimeField() if isinstance(created_at, datetime) else models.TextField()
    return _Row(Value(created_at, field), Value(pk, models.BigIntegerField()))


def older(column: str, position: Position) -> LessThan:
    """The condition for rows of any table that this time of theirs and the id put after it."""
    return LessThan(_Row(column, "id"), _position(*position))


def newer(column: str, position: Position) -> GreaterThan:
    return GreaterThan(_Row(column, "id"), _position(*position))


def raw(column: str) -> Func:
    """A time as a position has it."""
    return _Raw(column)


def page_of(
    branches: list[AssociationRequestQuerySet],
    *,
    size: int,
    before: Position | None = None,
    after: Position | None = None,
) -> list["AssociationRequest | UnreadableRow"]:
    """Return up to `size` entries older than `before`, or the next newer ones than `after`.

    By position, never by offset: a page keeps its meaning while entries arrive.
    """
    if after is None:
        older = branches if before is None else [b.older_than(*before) for b in branches]
        return _merged([b[:size] for b in older], slice(size))
    newer = [b.newer_than(*after).oldest_first() for b in branches]
    return _merged([b[:size] for b in newer], slice(-size, None), ascending=True)


def count_of(branches: list[AssociationRequestQuerySet], wanted: AuditFilter | None = None) -> int:
    """How many there are, counted no further than COUNTED_AT_MOST.

    Where it is known what is wanted, the index of names counts what is nothing but a name, and on
    PostgreSQL that of texts what has one.
    """
    name = wanted.name if wanted and wanted == AuditFilter(name=wanted.name) else ""
    if len(name) >= TRIGRAM:
        return branches[0].number_named(name, COUNTED_AT_MOST)
    if wanted and (wanted.reason or wanted.error_words):
        branches = branches[0].model.objects.branches(wanted, by_index=True)
    total = 0
    for branch in branches:
        if total < COUNTED_AT_MOST:
            total += branch.order_by()[: COUNTED_AT_MOST - total].count()
    return total


def _merged(
    parts: list[AssociationRequestQuerySet], which: slice, *, ascending: bool = False
) -> list["AssociationRequest | UnreadableRow"]:
    """The newest first of all parts; of many, only those that are wanted are read in full."""
    if len(parts) == 1 and not parts[0].is_scattered:
        return read_rows(parts[0].with_undone())[:: -1 if ascending else 1]
    places = sorted((p for part in parts for p in part.places()), key=_in_order, reverse=True)
    wanted = [pk for _, pk in places[which]]
    return read_rows(parts[0].model.objects.for_list().with_undone().filter(pk__in=wanted))


def _in_order(place: Position) -> tuple[int, str, int]:
    """As the database orders them: a year of five digits comes later."""
    moment, pk = str(place[0]), place[1]
    return len(moment.partition("-")[0]), moment, pk
