"""Where the marks of the chart stand; the template draws them."""

from collections import Counter
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT = 720, 120  # of the bars, in the drawing's own units
GAP = 2
MIN_MARK = 2  # what is there is seen, however little it is
LABELLED = 16  # with more bars than this, only the highest says its number
ORDER = (
    "linked",
    "unlinked",
    "unconfirmed",
    "rejected",
    "unreachable",
    "canceled",
    "queued",
    "sending",
)


@dataclass(frozen=True, slots=True)
class Mark:
    outcome: str
    count: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """The entries of one period, a mark an outcome, from the ground up."""

    start: date
    total: int
    x: float
    width: float
    marks: list[Mark]
    is_labelled: bool

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        return min((mark.y for mark in self.marks), default=HEIGHT)


def outcome_bars(periods: list[tuple[date, Counter[str]]], room_for: int = 8) -> list[Bar]:
    """Return a bar a period; none is wider than one of so many."""
    highest = max((counts.total() for _, counts in periods), default=0)
    step = WIDTH / max(len(periods), room_for)
    label_all = len(periods) <= LABELLED
    bars, has_label = [], False
    for index, (start, counts) in enumerate(periods):
        is_highest = counts.total() == highest and not has_label
        has_label = has_label or is_highest
        bars.append(
            Bar(
                start=start,
                total=counts.total(),
                x=round(index * step, 2),
                width=round(step - GAP, 2),
                marks=_marks(counts, highest),
                is_labelled=counts.total() > 0 and (label_all or is_highest),
            )
        )
    return bars


def _marks(counts: Counter[str], highest: int) -> list[Mark]:
    marks, y = [], float(HEIGHT)
    for outcome in ORDER:
        if count := counts[outcome]:
            height = max(MIN_MARK, count / highest * (HEIGHT - MIN_MARK * len(counts)))
            y -= height
            marks.append(Mark(outcome, count, round(y, 2), round(height, 2)))
    return marks
