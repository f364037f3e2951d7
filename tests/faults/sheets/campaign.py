"""Files, one after the other: read, looked at by somebody careful, and some of them sent."""

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from django.core.cache import cache
from django.test import override_settings

from associations.audit.recorder import RequestMeta
from associations.bulk import dry_run, mapping, row_names, services, tasks
from associations.bulk.files.errors import OF_THE_COLUMNS
from associations.bulk.leases import claim
from associations.bulk.not_ready import ChoicesForm
from associations.gateway import rate_limiter
from associations.models import BulkRow, BulkRun, RowState, RunState
from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox
from hubadmin.demo.sandbox.links import Links
from tests.faults.sheets.files import File, Row, make
from tests.faults.sheets.truth import Truth
from tests.support import forget_looks, person, warm_up

OF_EACH_KIND = 8  # records with which the portal begins
TOLD_EVERY = 100
EXAMPLES = 3  # of each kind of fault
CHOOSING, STARTING = 0.6, 0.4  # how often somebody does
_SIDES = ("from", "to")
# By what the product calls them, for a file in one of ours.
_ENCODINGS = {"utf-16": "utf-16-le", "utf-8-sig": "utf-8", "xlsx": "utf-8"}

End = tuple[str, str]
Pair = frozenset[End]


class HeardLinks(Links):
    """Keeps each pair that the portal was told to link, as often as it was."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Pair] = []

    def add_many(self, from_type: str, to_type: str, pairs: Any, *rest: Any, **lag: Any) -> None:
        pairs = list(pairs)
        self.heard += [frozenset({(from_type, one), (to_type, other)}) for one, other in pairs]
        super().add_many(from_type, to_type, pairs, *rest, **lag)


@contextmanager
def portal(seed: int) -> Iterator[Truth]:
    """The site at a portal that has what files are about; without limits."""
    with (
        Sandbox(keep_requests=1, search_limit=0) as sandbox,
        override_settings(
            HUBSPOT_API_BASE_URL=sandbox.url,
            HUBSPOT_ACCESS_TOKEN=SANDBOX_TOKEN,
            HUBSPOT_SEARCHES_PER_SECOND=0,
            HUBSPOT_CALLS_PER_10_SECONDS=0,
            HUBSPOT_VERIFY=True,
        ),
    ):
        warm_up(sandbox.url)
        sandbox.links = HeardLinks()
        cache.clear()
        row_names._known.clear()
        truth = Truth(sandbox, random.Random(seed))
        truth.make(OF_EACH_KIND)
        try:
            yield truth
        finally:
            rate_limiter.close()


@dataclass(slots=True)
class Campaign:
    """What came of the files."""

    truth: Truth
    seed: int
    files: Counter[str] = field(default_factory=Counter)  # by what they came to
    rows: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)  # guessed, wrong, lost, doubled, counted
    unread: Counter[str] = field(default_factory=Counter)  # a person could have read it; why not
    asked: Counter[str] = field(default_factory=Counter)  # of what a person is certain
    examples: dict[str, list[str]] = field(default_factory=dict)
    sent: int = 0
    only: int | None = None
    _chance: random.Random = field(default_factory=random.Random)

    @property
    def is_well(self) -> bool:
        return not self.faults

    def take(self, count: int) -> None:
        for number in range(1, count + 1):
            self._chance = random.Random(f"{self.seed}-{number}")
            self.truth.chance = self._chance
            file = make(self.truth, self._chance, number)
            if self.only in (None, number):
                _Look(self, file, self._chance).take()
            if number % TOLD_EVERY == 0:
                print(f"{number} files", file=sys.stderr, flush=True)

    def fault(self, kind: str, file: File, *facts: Any) -> None:
        self.faults[kind] += 1
        self.note(kind.upper(), file, *facts)

    def note(self, kind: str, file: File, *facts: Any) -> None:
        told = "; ".join(repr(each)[:200] for each in facts)
        examples = self.examples.setdefault(kind, [])
        if len(examples) < EXAMPLES:
            examples.append(f"{file.name} ({file.kind}): {told}")

    def tell(self, seconds: float) -> None:
        print(f"{self.files.total()} files in {seconds:.0f} s: {_counts(self.files)}")
        print(f"{self.rows.total()} rows of them: {_counts(self.rows)}")
        print(f"pairs sent: {self.sent}")
        for kind in ("guessed", "wrong", "lost", "doubled", "miscounted"):
            print(f"{kind}: {self.faults[kind]}")
        print(f"left to choose, though a person knows: {self.asked.total()}")
        for why, count in self.asked.most_common():
            print(f"  {count:5} {why}")
        print(f"not read, though a person could: {self.unread.total()}")
        for why, count in self.unread.most_common():
            print(f"  {count:5} {why}")
        for kind, examples in sorted(self.examples.items()):
            for example in examples:
                print(f"{kind}: {example}")


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{what} {count}" for what, count in counter.most_common()) or "none"


@dataclass(slots=True)
class _Look:
    """One file on its way."""

    campaign: Campaign
    file: File
    chance: random.Random
    said: dict[tuple[int, str], str] = field(default_factory=dict)  # row and side → what was chosen
    run: BulkRun = field(default_factory=BulkRun)

    def take(self) -> None:
        forget_looks()
        self._upload()
        self._read()
        self._say_columns()
        if self.run.state != RunState.READY:
            self.campaign.files[f"unreadable: {self.run.problem}"] += 1
            self.campaign.unread[f"file: {self.run.problem}"] += 1
            facts = self.run.problem_facts, self.file.head
            return self.campaign.note(f"FILE {self.run.problem}", self.file, *facts)
        if (rows := len(self._rows())) != len(self.file.rows):
            kind = "lost" if rows < len(self.file.rows) else "doubled"
            return self.campaign.fault(kind, self.file, "rows", rows, len(self.file.rows))
        self._judge(is_last=False)
        self._say_encoding()
        if self.chance.random() < CHOOSING:
            self._choose()
        allowed = self._judge(is_last=True)
        self._count()
        is_started = self.run.rows_ready and self.chance.random() < STARTING
        self.campaign.files["sent" if is_started else "looked at"] += 1
        if is_started:
            self._send(allowed)
        else:
            services.discard(run=self.run)
        return None

    # --- what people do ---------------------------------------------------------------------------

    def _upload(self) -> None:
        types = ("", "") if self.file.says_types else self.file.types
        self.run = services.create(
            user=person(f"sender-{self.file.name}", "support"),
            meta=RequestMeta(),
            name=self.file.name,
            parts=[self.file.content],
            way="batch",
            from_object_type=types[0],
            to_object_type=types[1],
        )

    def _read(self) -> None:
        until = time.monotonic() + 300
        while self.run.state == RunState.READING:
            assert time.monotonic() < until, f"{self.file.name} is not ready"
            BulkRun.objects.filter(pk=self.run.pk).update(owner="", lease_until=None)
            claimed = claim(BulkRun.objects.filter(pk=self.run.pk))
            dry_run.read_run(claimed, time.monotonic() + 60)
            self.run.refresh_from_db()

    def _say_columns(self) -> None:
        if self.run.state == RunState.READY:
            if _places(self.run.layout["meanings"]) != set(self.file.places):
                facts = self.run.layout["meanings"], self.file.head
                self.campaign.fault("guessed", self.file, "other columns", *facts)
                self._again(self.file.meanings)
        elif self.run.problem in OF_THE_COLUMNS and mapping.can_be_chosen(self.run):
            problem = self.run.problem
            self.campaign.asked[f"columns: {problem}"] += 1
            facts = self.file.head, self.file.meanings
            self.campaign.note(f"COLUMNS {problem}", self.file, *facts)
            self._again(self.file.meanings)

    def _say_encoding(self) -> None:
        """Whoever sees how a cell reads in each knows which one it is in."""
        layout, encoding = self.run.layout, _ENCODINGS.get(self.file.encoding, self.file.encoding)
        shown = layout["encodings"]
        if encoding in shown and shown[encoding] != shown[layout["encoding"]]:
            self.campaign.asked["encoding"] += 1
            self._again(layout["meanings"], encoding)

    def _again(self, meanings: list[str], encoding: str = "") -> None:
        services.read_anew(run=self.run, meanings=meanings, encoding=encoding)
        self._read()

    def _choose(self) -> None:
        """Take what is meant of what is on offer, a page at a time."""
        while self.run.rows_to_choose:
            form = ChoicesForm(run=self.run)
            if not form.keys:
                return self.campaign.fault("miscounted", self.file, "nothing to choose from")
            choices = {key.pk: self._chosen(key) for key in form.keys}
            services.choose(run=self.run, choices=choices)
            self._read()
        return None

    def _chosen(self, key: Any) -> str:
        offered = {each[0] for each in key.candidates}
        chosen: str | None = None
        for number, rows in enumerate(self._rows()):
            for side, cell in zip(_SIDES, _cells(self.file, number), strict=True):
                if getattr(rows[0], f"{side}_key_id") != key.pk:
                    continue
                if chosen is None:
                    meant = {self.campaign.truth.now(key.object_type, each) for each in cell.ids}
                    chosen = next(iter(meant & offered), "")
                self.said[number, side] = chosen
        return chosen or ""

    # --- what is compared -------------------------------------------------------------------------

    def _rows(self) -> list[list[BulkRow]]:
        """The rows that were read, by the row of the file."""
        lines: dict[int, list[BulkRow]] = {}
        for row in self.run.rows.order_by("number"):
            lines.setdefault(row.line, []).append(row)
        rows = [lines[line] for line in sorted(lines)]
        if self.file.head and len(rows) == len(self.file.rows) + 1:
            rows = rows[1:]  # the names of the columns, which may be any words
        return rows

    def _judge(self, *, is_last: bool) -> set[Pair]:
        """Compare each row with what is meant; return the pairs that may be sent."""
        rows, allowed = self._rows(), set[Pair]()
        for number, found in enumerate(rows):
            meant = self._meant(number)
            allowed |= meant
            self._judge_row(number, found, meant, is_last=is_last)
        return allowed

    def _meant(self, number: int) -> set[Pair]:
        """The pairs that a row says, with what was chosen; none where a person would not know."""
        cells = _cells(self.file, number)
        ids = [
            {self.said[number, side]}
            if self.said.get((number, side))
            else {*cell.ids}
            if cell.is_sure and (number, side) not in self.said
            else set()
            for side, cell in zip(_SIDES, cells, strict=True)
        ]
        if all(len(each) > 1 for each in ids):
            return set()  # which belong together?
        both = product(*(self._ends(t, i) for t, i in zip(self.file.types, ids, strict=True)))
        return {frozenset(pair) for pair in both}

    def _ends(self, object_type: str, ids: set[str]) -> list[End]:
        return [(object_type, self.campaign.truth.now(object_type, each)) for each in ids]

    def _judge_row(
        self, number: int, found: list[BulkRow], meant: set[Pair], *, is_last: bool
    ) -> None:
        row = self.file.rows[number]
        ready = {self._pair(each) for each in found if each.state == RowState.READY}
        taken = ready | {self._pair(each) for each in found if each.state == RowState.DOUBLE}
        if ready - meant:
            is_sure = row.one.is_sure and row.other.is_sure
            kind = "wrong" if is_sure and meant else "guessed"
            self.campaign.fault(kind, self.file, row, [sorted(each) for each in ready - meant])
        if not is_last:
            return
        if not meant:
            self.campaign.rows["at fault" if ready else "no pair"] += 1
            return
        problems = [each for each in found if each.state == RowState.INVALID]
        if taken >= meant:
            self.campaign.rows["a pair"] += 1
        elif not problems:
            self.campaign.fault("lost", self.file, row, [sorted(each) for each in meant - taken])
        else:
            self._note_unread(row, problems[0])

    def _note_unread(self, row: Row, problem: BulkRow) -> None:
        cells = _cells_of(self.file, row)
        cell = cells[0] if problem.problem_field.startswith("from") else cells[1]
        why = f"{cell.why}: {problem.problem}"
        if problem.problem == "choose":
            self.campaign.rows["left to choose"] += 1
            self.campaign.asked[why] += 1
        else:
            self.campaign.rows["not read"] += 1
            self.campaign.unread[why] += 1
            facts = [each.text for each in cells], problem.facts, self.file.head
            self.campaign.note(f"ROW {why}", self.file, *facts)

    def _pair(self, row: BulkRow) -> Pair:
        now = self.campaign.truth.now
        ends = (
            (getattr(row, f"{side}_object_type"), getattr(row, f"{side}_object_id"))
            for side in _SIDES
        )
        return frozenset((kind, now(kind, object_id)) for kind, object_id in ends)

    def _count(self) -> None:
        """What the run says of itself is what its rows say."""
        run = self.run
        rows = Counter(run.rows.values_list("state", flat=True))
        to_choose = run.rows.filter(state=RowState.INVALID, problem="choose").count()
        told = run.rows_ready, run.rows_invalid, run.rows_double, run.rows_to_choose
        counted = rows["ready"], rows["invalid"], rows["double"], to_choose
        if told != counted:
            self.campaign.fault("miscounted", self.file, told, counted)

    def _send(self, allowed: set[Pair]) -> None:
        ready = {self._pair(row) for row in self.run.rows.filter(state=RowState.READY)}
        heard = self.campaign.truth.sandbox.links.heard
        heard.clear()
        user = self.run.user
        services.start(
            user=user, run=self.run, way=self.chance.choice(("batch", "single")), skip_linked=False
        )
        until = time.monotonic() + 300
        while self.run.state not in (RunState.DONE, RunState.CANCELED):
            assert time.monotonic() < until, f"{self.file.name} is not sent"
            tasks.work()
            self.run.refresh_from_db()
        counted = Counter(heard)
        self.campaign.sent += len(heard)
        for pair in counted:
            if pair not in allowed:
                self.campaign.fault("wrong", self.file, "sent", sorted(pair))
        for pair in ready - counted.keys():
            self.campaign.fault("lost", self.file, "not sent", sorted(pair), self.run.state)
        if self.run.queued != self.run.rows_ready or self.run.linked != self.run.queued:
            facts = self.run.queued, self.run.rows_ready, self.run.linked
            self.campaign.fault("lost", self.file, "entries", *facts)
        if extra := [pair for pair, count in counted.items() if count > 1]:
            self.campaign.fault("doubled", self.file, "sent", extra)


def _places(meanings: list[str]) -> set[int]:
    return {at for at, each in enumerate(meanings) if each.partition(":")[0].endswith("_object_id")}


def _cells(file: File, number: int) -> list[Any]:
    return _cells_of(file, file.rows[number])


def _cells_of(file: File, row: Row) -> list[Any]:
    """The two cells in the file's order."""
    return [row.one, row.other] if not file.is_turned else [row.other, row.one]
