"""Lines into records, however the quotation marks in them are set."""

import csv
import re
from collections.abc import Iterable, Iterator

from associations.bulk.files.columns import MAX_COLUMNS
from associations.bulk.files.errors import FileError, FileReason

MAX_RECORD = 64 * 1024  # characters; what goes on longer has a quotation mark that is not closed


def rows_of(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line where each record begins, and its cells, if anything stands in them.

    Raises FileError for a quotation mark that is not closed, and for too many columns.
    """
    source = _Source(lines, delimiter)
    reader = csv.reader(source, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        source.begin(reader.line_num + 1)
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            raise source.open_quote() from None
        if len(cells) > MAX_COLUMNS:
            facts = {"line": source.line, "columns": len(cells), "limit": MAX_COLUMNS}
            raise FileError(FileReason.TOO_MANY_COLUMNS, **facts)
        if any(map(str.strip, cells)):
            yield source.line, cells


class _Source:
    """The lines for the reader, which would take any number of them for one record."""

    def __init__(self, lines: Iterable[str], delimiter: str) -> None:
        self.lines = iter(lines)
        self.quoted = re.compile(rf'(?:^|{re.escape(delimiter)}) *(")[^"]*(?:""[^"]*)*"?')
        self.begin(1)

    def begin(self, line: int) -> None:
        self.line, self.length, self.taken = line, 0, []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.length > MAX_RECORD:
            raise self.open_quote()
        line = next(self.lines)
        self.length += len(line)
        self.taken.append(line)
        return line

    def open_quote(self) -> FileError:
        """The error that tells in which line the quotation mark stands that goes wrong."""
        text = "".join(self.taken)
        starts = [match.start(1) for match in self.quoted.finditer(text)]
        before = text[: starts[-1]] if starts else ""
        line = self.line + len(re.findall(r"\r\n|\r|\n", before))
        return FileError(FileReason.OPEN_QUOTE, line=line)
