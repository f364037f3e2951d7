"""Sets of ids as ranges: `1042 1047-1049`. However many entries wait for one run, few ranges do."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from django.db.models import Q

Ranges = list[tuple[int, int]]  # first and last, both part of it; ascending, never touching
_NONE = (2**64, 2**64)  # beyond every id


def merged(*parts: Ranges) -> Ranges:
    """Return all of them as one."""
    found: Ranges = []
    for first, last in sorted(pair for part in parts for pair in part):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        elif first <= last:
            found.append((first, last))
    return found


def of_ids(ids: Iterable[int]) -> Ranges:
    return merged([(number, number) for number in ids])


def less(ranges: Ranges, others: Ranges) -> Ranges:
    """Return the ranges less the others."""
    left: Ranges = []
    taken = iter(others)
    next_first, next_last = next(taken, _NONE)
    for first, last in ranges:
        while next_first <= last:
            if next_first > first:
                left.append((first, next_first - 1))
            first = max(first, next_last + 1)
            if next_last > last:
                break
            next_first, next_last = next(taken, _NONE)
        if first <= last:
            left.append((first, last))
    return left


def each(ranges: Ranges) -> Iterator[int]:
    for first, last in ranges:
        yield from range(first, last + 1)


def size(ranges: Ranges) -> int:
    """Return how many ids they hold."""
    return sum(last - first + 1 for first, last in ranges)


def above(ranges: Ranges, limit: int) -> Ranges:
    """Return the part that is greater than the limit."""
    return [(max(first, limit + 1), last) for first, last in ranges if last > limit]


def contains(ranges: Ranges, number: int) -> bool:
    place = bisect_left(ranges, (number + 1,))  # of the first range that begins after it
    return place > 0 and number <= ranges[place - 1][1]


def batches(ranges: Ranges, size: int = 200) -> Iterator[Ranges]:
    """Give them a few at a time, as many as a database takes in one condition."""
    for start in range(0, len(ranges), size):
        yield ranges[start : start + size]


def condition(ranges: Ranges) -> Q:
    """Return the condition that a row's id is in there."""
    found = Q(pk__in=[])
    for first, last in ranges:
        found |= Q(pk__range=(first, last))
    return found


def to_text(ranges: Ranges) -> str:
    return " ".join(f"{first}-{last}" if last > first else str(first) for first, last in ranges)


def from_text(text: str) -> Ranges:
    """Read what `to_text` wrote. Raises ValueError."""
    pairs = [part.partition("-") for part in text.split()]
    return [(int(first), int(last or first)) for first, _, last in pairs]
