"""Follows one call through the files of the product."""

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass
class Trace:
    """What ran: for each thread the file and the function of every call and return, in order."""

    events: dict[int, list[tuple[str, str, bool]]] = field(default_factory=dict)

    def __or__(self, other: "Trace") -> "Trace":
        """Both, as if of threads of their own."""
        threads = [*self.events.values(), *other.events.values()]
        return Trace(dict(enumerate(threads)))

    def _calls(self) -> list[tuple[str, str]]:
        return [
            (file, function)
            for thread in self.events.values()
            for file, function, is_call in thread
            if is_call
        ]

    @property
    def files(self) -> set[str]:
        return {file for file, _ in self._calls()}

    @property
    def functions(self) -> set[tuple[str, str]]:
        return set(self._calls())

    @property
    def calls(self) -> int:
        """How many there were; a generator is called each time it goes on."""
        return len(self._calls())

    @property
    def changes(self) -> int:
        """How often a call or a return was in another file than the one before, the first too."""
        return sum(
            1
            for thread in self.events.values()
            for _ in groupby(thread, key=lambda event: event[0])
        )


def is_product(file: str) -> bool:
    """True of all but the settings, which are imported once, and the stand-in for HubSpot."""
    path = Path(file)
    if not path.is_relative_to(ROOT):
        return False
    parts = path.relative_to(ROOT).parts
    return (
        parts[0] in ("associations", "hubadmin")
        and "sandbox" not in parts
        and parts != ("hubadmin", "settings.py")
    )


def trace(do: Callable[[], object], counts: Callable[[str], bool] = is_product) -> Trace:
    """Do it, and return what ran meanwhile of the files that count, here and in new threads.

    Threads that were there before, such as those of a pool, are not followed.
    """
    traced, counts = Trace(), cache(counts)

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event in ("call", "return") and counts(code.co_filename):
            noted = (code.co_filename, code.co_qualname, event == "call")
            traced.events.setdefault(threading.get_ident(), []).append(noted)

    before = sys.getprofile()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        do()
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
    return traced
