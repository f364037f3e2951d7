"""In which encoding a file is, by all of its lines."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_SAMPLE = 64 * 1024
# Two characters of Japanese side by side; single ones are also what accents in French look like.
_JAPANESE_RUN = re.compile(r"[\u3001-\u30ff\u4e00-\u9fff\uff01-\uff60]{2,}")
_JAPANESE = re.compile(r"[\u3001-\u30ff\u4e00-\u9fff\uff01-\uff60]")
# Its second byte may be a letter, but not of every character.
_BOTH_HIGH = re.compile(rb"[\x81-\x9f\xe0-\xef][\x80-\xfc]")


class Encoding(StrEnum):
    """The encodings that are read, by Python's names."""

    UTF_8 = "utf-8"
    UTF_16_LE = "utf-16-le"
    UTF_16_BE = "utf-16-be"
    WINDOWS_1252 = "cp1252"
    SHIFT_JIS = "cp932"  # what Excel writes on a Japanese Windows


@dataclass(slots=True)
class Survey:
    """How much of a file is UTF-8, in characters beyond ASCII, and where it is (or is not)."""

    good: int = 0
    bad: int = 0
    first_good: int = 0
    first_bad: int = 0
    sample: bytes = b""

    def add(self, number: int, line: bytes) -> None:
        text = line.decode(errors="replace")
        bad = 0 if _is_utf_8(line) else text.count("\ufffd")
        good = len(text) - len(text.encode("ascii", errors="ignore")) - bad
        self.good, self.bad = self.good + good, self.bad + bad
        self.first_good = self.first_good or (number if good else 0)
        self.first_bad = self.first_bad or (number if bad else 0)
        if bad and len(self.sample) < _SAMPLE:
            self.sample += line

    @property
    def is_japanese(self) -> bool:
        """Whether it is more likely Shift JIS than anything else, by what is no UTF-8."""
        if self.bad <= self.good or not _BOTH_HIGH.search(self.sample):
            return False
        try:
            text = self.sample.decode(Encoding.SHIFT_JIS)
        except UnicodeDecodeError:
            return False
        in_runs = sum(map(len, _JAPANESE_RUN.findall(text)))
        return in_runs * 2 > len(_JAPANESE.findall(text))


def surveyed(lines: Iterable[bytes]) -> Survey:
    """Return how much of the lines is UTF-8."""
    survey = Survey()
    for number, line in enumerate(lines, 1):
        if not line.isascii():
            survey.add(number, line)
    return survey


def _is_utf_8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
