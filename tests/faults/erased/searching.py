"""Looks for what was erased: its bytes wherever they could be, its digests by a dictionary."""

import hashlib
import re
import subprocess
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

_AT_ONCE = 2**24  # bytes; the last ones are looked at once more, with what comes next
_OVERLAP = 2**10
# The words of people.py, and salts: wherever one begins, for others may stand around it.
_CANDIDATES = re.compile(rb"(?=([bcdfghjklmnpqrstvwxz]{12}))|(?=([0-9a-f]{32}))")


class Needles:
    """Words and salts, as they could be written in a file: in UTF-8 or UTF-16, in any case."""

    def __init__(self, values: Iterable[str]) -> None:
        self.values = {*values}
        self._wanted = {value.encode() for value in self.values}

    def found_in(self, data: Iterable[bytes]) -> set[str]:
        found, before = set[bytes](), b""
        for part in data:
            whole = before + part
            # Without its NULs UTF-16 of such letters is what they are in ASCII.
            plain = whole.replace(b"\0", b"").lower()
            for match in _CANDIDATES.finditer(plain):
                found |= {match[1] or match[2]} & self._wanted
            before = whole[-_OVERLAP:]
        return {value.decode() for value in found}


def of_files(paths: Iterable[Path]) -> Iterator[bytes]:
    """Read by another process: to close SQLite's file drops the locks that this one has on it."""
    for path in paths:
        with subprocess.Popen(["/bin/cat", path], stdout=subprocess.PIPE) as reader:
            assert reader.stdout
            while part := reader.stdout.read(_AT_ONCE):
                yield part
        yield b"\n"


def found_by_dictionary(
    digests: set[str], pairs: Iterable[tuple[str, str]], salts: Iterable[str]
) -> set[str]:
    """Try every name and address, in every known form, with no salt and with each of these."""
    told = sorted({*pairs})
    forms = {form for name, typed in told for form in _forms(name, typed)}
    salted = (f"{salt}\n{rest}" for salt in salts for rest in sorted(_of_format(told)))
    tried = (hashlib.sha256(text.encode()).hexdigest() for text in chain(forms, salted))
    return {digest for digest in tried if digest in digests}


def _of_format(pairs: list[tuple[str, str]]) -> set[str]:
    """What stands after the salt."""
    return {f"{name}\n{told}" for name, typed in pairs for told in (typed, "")}


def _forms(name: str, typed: str) -> Iterator[str]:
    for one, other in ((name, typed), (name.lower(), typed.lower()), (name, ""), ("", typed)):
        yield from (one, other, one + other, f"{one}\n{other}", f"\n{one}\n{other}")
        yield f"{one} <{other}>"
