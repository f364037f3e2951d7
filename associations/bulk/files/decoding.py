"""The lines of a file in whatever encoding, never more than a line and a part in memory.

A file comes as a function that gives its bytes in parts, anew each time it is called.
"""

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from associations.bulk.files.errors import FileError, FileReason, refuse_other_kinds

_SAMPLE = 64 * 1024
# Two characters of Japanese side by side; single ones are also what accents in French look like.
_JAPANESE_RUN = re.compile(r"[\u3001-\u30ff\u4e00-\u9fff\uff01-\uff60]{2,}")
_JAPANESE = re.compile(r"[\u3001-\u30ff\u4e00-\u9fff\uff01-\uff60]")
# Its second byte may be a letter, but not of every character.
_BOTH_HIGH = re.compile(rb"[\x81-\x9f\xe0-\xef][\x80-\xfc]")


class Encoding(StrEnum):
    """The encodings that are read, by Python's names; the last ones only if somebody says so."""

    UTF_8 = "utf-8"
    UTF_16_LE = "utf-16-le"
    UTF_16_BE = "utf-16-be"
    WINDOWS_1252 = "cp1252"
    SHIFT_JIS = "cp932"  # what Excel writes on a Japanese Windows
    MAC_ROMAN = "mac-roman"  # what Excel for the Mac writes as "CSV (Macintosh)"
    WINDOWS_1250 = "cp1250"
    WINDOWS_1251 = "cp1251"
    WINDOWS_1253 = "cp1253"
    WINDOWS_1254 = "cp1254"
    EUC_JP = "euc-jp"


# Any text is one in most of these: nothing in the file says which one was meant.
TO_CHOOSE = (
    Encoding.WINDOWS_1252,
    Encoding.MAC_ROMAN,
    Encoding.WINDOWS_1250,
    Encoding.WINDOWS_1251,
    Encoding.WINDOWS_1253,
    Encoding.WINDOWS_1254,
    Encoding.SHIFT_JIS,
    Encoding.EUC_JP,
)


@dataclass(slots=True)
class Survey:
    """How much of a file is UTF-8, in characters beyond ASCII, and where it is (or is not)."""

    good: int = 0
    bad: int = 0
    first_good: int = 0
    first_bad: int = 0
    sample: bytes = b""
    is_western: bool = True  # what is no UTF-8 can be Windows-1252, which has not every byte

    def add(self, number: int, line: bytes) -> None:
        text = line.decode(errors="replace")
        bad = 0 if _is(line, Encoding.UTF_8) else text.count("\ufffd")
        good = len(text) - len(text.encode("ascii", errors="ignore")) - bad
        self.good, self.bad = self.good + good, self.bad + bad
        self.first_good = self.first_good or (number if good else 0)
        self.first_bad = self.first_bad or (number if bad else 0)
        self.is_western = self.is_western and not (bad and not _is(line, Encoding.WINDOWS_1252))
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


def _is(line: bytes, encoding: Encoding) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


Parts = Callable[[], Iterable[bytes]]

MAX_LINE = 64 * 1024  # bytes, in UTF-8 where the file is in UTF-16
MAX_LINES = 2_000_000
_PIECE = 64 * 1024
_HEAD = 4096
_SHOWN = 60  # characters of a cell
_BOM = "\ufeff"


def encoding_of(parts: Parts) -> Encoding:
    """Return the file's encoding. Reads all of it. Raises FileError if that is nothing readable."""
    head = _head(parts)
    refuse_other_kinds(head)
    encoding = _wide(head)
    survey = surveyed(_byte_lines(parts, encoding or Encoding.UTF_8))
    if not survey.bad:
        return encoding or Encoding.UTF_8
    is_marked = encoding or head.startswith(codecs.BOM_UTF8)
    if not is_marked and survey.is_japanese:
        return Encoding.SHIFT_JIS
    if is_marked or survey.good:
        # Two encodings in one file: the rarer one is where to look.
        is_mostly_utf_8 = is_marked or survey.good >= survey.bad
        line = survey.first_bad if is_mostly_utf_8 else survey.first_good
        raise FileError(FileReason.BROKEN_TEXT, line=line)
    # In Mac Roman `è` and `ç` are bytes that Windows-1252 has not; it has all of them, so that the
    # file can be read, and another encoding be chosen by what it shows.
    return Encoding.WINDOWS_1252 if survey.is_western else Encoding.MAC_ROMAN


def readings(parts: Parts, encoding: Encoding, delimiter: str) -> dict[str, str]:
    """Return how the first cell that is not ASCII reads in each encoding that it could be in.

    Empty where the file says its encoding: it is UTF-8, or UTF-16.
    """
    if encoding not in TO_CHOOSE:
        return {}
    for line in _byte_lines(parts, encoding):
        for cell in () if line.isascii() else re.split(b"[\r\n]|" + delimiter.encode(), line):
            if not cell.isascii():
                return dict(_read_as(cell.strip(b' "')))
    return {}


def _read_as(cell: bytes) -> Iterator[tuple[str, str]]:
    for encoding in TO_CHOOSE:
        try:
            text = cell.decode(encoding)
        except UnicodeDecodeError:
            continue
        yield str(encoding), text[:_SHOWN]


def lines_in(parts: Parts, encoding: Encoding) -> Iterator[str]:
    """Yield the lines with their ends (LF, CRLF or CR), without a byte order mark.

    Raises FileError, at once or in between, for what cannot be read.
    """
    lines = _byte_lines(parts, encoding)
    codec = Encoding.UTF_8 if _is_wide(encoding) else encoding
    for number, line in enumerate(lines, 1):
        try:
            text = line.decode(codec)
        except UnicodeDecodeError:
            raise FileError(FileReason.BROKEN_TEXT, line=number) from None
        yield text.removeprefix(_BOM) if number == 1 else text


def _head(parts: Parts) -> bytes:
    head = b""
    for part in parts():
        head += bytes(part[:_HEAD])
        if len(head) >= _HEAD:
            break
    return head[:_HEAD]


def _wide(head: bytes) -> Encoding | None:
    """Which UTF-16 it is, by its mark or by the zeros of its digits and commas; None if neither."""
    if head.startswith(codecs.BOM_UTF16_LE):
        return Encoding.UTF_16_LE
    if head.startswith(codecs.BOM_UTF16_BE):
        return Encoding.UTF_16_BE
    pairs = len(head) // 2
    zeros = [head[side : pairs * 2 : 2].count(0) for side in (0, 1)]
    if pairs < 3 or max(zeros) * 2 < pairs:
        return None
    return Encoding.UTF_16_BE if zeros[0] > zeros[1] else Encoding.UTF_16_LE


def _is_wide(encoding: Encoding) -> bool:
    return encoding in (Encoding.UTF_16_LE, Encoding.UTF_16_BE)


def _byte_lines(parts: Parts, encoding: Encoding) -> Iterator[bytes]:
    """The lines with their ends, in UTF-8 where they were in UTF-16."""
    pieces: Iterator[bytes] = (
        bytes(part[at : at + _PIECE]) for part in parts() for at in range(0, len(part), _PIECE)
    )
    if _is_wide(encoding):
        pieces = _in_utf_8(pieces, encoding)
    number, rest = 0, b""
    for piece in pieces:
        lines = (rest + piece).splitlines(keepends=True)
        # A last line without its end goes on in the next piece, and after CR an LF may come.
        rest = b"" if not lines or lines[-1].endswith(b"\n") else lines.pop()
        for line in lines:
            number += 1
            yield _checked(number, line)
        if rest:
            _checked(number + 1, rest)
    if rest:
        yield rest


def _checked(number: int, line: bytes) -> bytes:
    if len(line) > MAX_LINE:
        raise FileError(FileReason.LONG_LINE, line=number, limit=MAX_LINE // 1024)
    if number > MAX_LINES:
        raise FileError(FileReason.TOO_MANY_LINES, limit=MAX_LINES)
    if b"\0" in line:
        raise FileError(FileReason.NOT_TEXT, line=number)
    return line


def _in_utf_8(pieces: Iterable[bytes], encoding: Encoding) -> Iterator[bytes]:
    """What UTF-16 cannot hold becomes what UTF-8 cannot, so that it is found with its line."""
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    for piece in pieces:
        yield decoder.decode(piece).encode(errors="surrogatepass")
    if decoder.getstate()[0]:
        yield b"\xff"
