"""The text of a seal: what it covers, and the digest of everything in it.

    hubadmin-seal 2
    number 17
    previous <head of seal 16; 64 zeros for the first>
    sealed_at 2026-11-24T09:30:00.000000Z
    key <id of the public key>
    covers entry 1050
    waiting entry 1042 1047-1049
    entry 1039 <SHA-256 of its canonical line>

`covers` says up to which id this kind has been looked at, `waiting` which of those ids are in no
seal yet: they were still open, or not (yet) there. An id that is covered, not waiting and in no
seal belongs to no row. The head is the SHA-256 of the text, in UTF-8, each line ended by \\n.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from associations.audit.integrity import id_ranges
from associations.audit.integrity.serialization import KINDS, digest, format_moment

FIRST_LINE = "hubadmin-seal 2"
# Before entries held digests of names, and erasures were an item.
_FIRST_LINE_BEFORE = "hubadmin-seal 1"
NOTHING_BEFORE = "0" * 64


class ManifestError(ValueError):
    """The text is no manifest."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far a kind has been sealed: up to which id, less those that wait.

    It is not told by a seal of a release that did not know this kind.
    """

    high: int = 0
    waiting: id_ranges.Ranges = field(default_factory=list)
    is_told: bool = True

    def candidates(self, top: int) -> id_ranges.Ranges:
        """The ids that the next seal may hold: those that wait, and the further ones up to top."""
        return id_ranges.merged(self.waiting, [(self.high + 1, top)])


@dataclass(frozen=True)
class Manifest:
    """A seal's text, read. `items` are kind, id and digest."""

    number: int
    previous: str
    sealed_at: datetime
    key_id: str
    coverage: dict[str, Coverage]
    items: list[tuple[str, int, str]]

    @property
    def text(self) -> str:
        lines = [
            FIRST_LINE,
            f"number {self.number}",
            f"previous {self.previous}",
            f"sealed_at {format_moment(self.sealed_at)}",
            f"key {self.key_id}",
        ]
        for kind, coverage in self.coverage.items():
            lines.append(f"covers {kind} {coverage.high}")
            if coverage.waiting:
                lines.append(f"waiting {kind} {id_ranges.to_text(coverage.waiting)}")
        lines += [f"{kind} {number} {sha256}" for kind, number, sha256 in self.items]
        return "".join(f"{line}\n" for line in lines)

    def ids(self, kind: str) -> dict[int, str]:
        """The digests of the items of a kind, by id."""
        return self._by_kind.get(kind, {})

    @cached_property
    def _by_kind(self) -> dict[str, dict[int, str]]:
        found = defaultdict[str, dict[int, str]](dict)
        for kind, number, sha256 in self.items:
            found[kind][number] = sha256
        return found


def head_of(text: str) -> str:
    return digest(text)


def before_the_first() -> dict[str, Coverage]:
    return {kind: Coverage() for kind in KINDS}


def read(text: str) -> Manifest:
    """Read a seal's text. Raises ManifestError."""
    try:
        lines = [line.split(" ", 1) for line in text.splitlines()]
        if text.splitlines()[0] not in (FIRST_LINE, _FIRST_LINE_BEFORE):
            raise ManifestError("of another format")
        head = dict(lines[1:5])
        high: dict[str, int] = {}
        waiting: dict[str, id_ranges.Ranges] = {}
        items = []
        for word, rest in lines[5:]:
            kind, _, value = rest.partition(" ")
            if word == "covers":
                high[kind] = int(value)
            elif word == "waiting":
                waiting[kind] = id_ranges.from_text(value)
            else:
                items.append((word, int(kind), value))
        return Manifest(
            number=int(head["number"]),
            previous=head["previous"],
            sealed_at=datetime.fromisoformat(head["sealed_at"]),
            key_id=head["key"],
            # A kind that came up later begins at its beginning.
            coverage={
                k: Coverage(high.get(k, 0), waiting.get(k, []), is_told=k in high) for k in KINDS
            },
            items=items,
        )
    except (ValueError, KeyError, IndexError) as error:
        raise ManifestError("A seal's text cannot be read.") from error
