"""Who knew the head of a seal and cannot be made to forget it: what the chain is held against.

Whoever has the signing key and the database can make a chain anew that proves itself, and a backup
restores one that is older. Neither has the heads that were told elsewhere.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from associations.models import AuditSeal


@dataclass(frozen=True, slots=True)
class Witness:
    """That `who`, as a sentence names it, knew the head of a seal at a time."""

    number: int
    head: str
    at: datetime
    who: str

    @property
    def statement(self) -> str:
        return f"{self.who} knew seal {self.number} on {self.at:%Y-%m-%d %H:%M:%S} UTC"


class Witnesses:
    """All of them, asked seal by seal; `last` is the newest seal that one has known so."""

    def __init__(self, known: Iterable[Witness]) -> None:
        self.last: AuditSeal | None = None
        self._known = defaultdict[int, list[Witness]](list)
        for each in known:
            self._known[each.number].append(each)

    def contradict(self, seal: AuditSeal) -> str:
        """Return what one says who knew another seal under this number; nothing if none does."""
        known = self._known.pop(seal.number, [])
        for each in known:
            if each.head != seal.head:
                return (
                    f"{self._since(seal.number)} rewritten, or made anew after an older backup was "
                    f"restored: {each.statement} with the head {each.head}."
                )
        if known:
            self.last = seal
        return ""

    def miss(self, last: AuditSeal | None) -> str:
        """Return what the first one says who knew a seal after the last; nothing if none did."""
        end = last.number if last else 0
        if not (later := [number for number in self._known if number > end]):
            return ""
        first = self._known[min(later)][0]
        return (
            f"The seals after seal {end} are gone: {first.statement} with the head {first.head}. "
            "The log was cut short, or an older backup of it was restored."
        )

    def _since(self, number: int) -> str:
        first = self.last.number + 1 if self.last else 1
        return f"Seal {number} was" if first == number else f"Seals {first} to {number} were"
