"""Why a file cannot be read, and what its first bytes say it is."""

import re
from enum import StrEnum


class FileReason(StrEnum):
    """Why a file cannot be read; the facts that go with it stand in brackets."""

    EMPTY = "empty"
    WORKBOOK = "workbook"  # of a kind that is not read, or another office document
    OLD_WORKBOOK = "old_workbook"
    BINARY_WORKBOOK = "binary_workbook"
    OPEN_DOCUMENT = "open_document"
    ENCRYPTED_WORKBOOK = "encrypted_workbook"
    DAMAGED_WORKBOOK = "damaged_workbook"
    UNSAFE_WORKBOOK = "unsafe_workbook"  # it has a DTD
    UNPACKS_TOO_LARGE = "unpacks_too_large"  # (limit), in MiB
    PACKED_TOO_TIGHT = "packed_too_tight"  # (limit), times
    TOO_MANY_PARTS = "too_many_parts"  # (limit)
    TOO_MANY_CELLS = "too_many_cells"
    CHARTS_ONLY = "charts_only"
    HIDDEN_ONLY = "hidden_only"  # (found)
    NO_SHEET = "no_sheet"  # (sheet, found)
    LONG_CELL = "long_cell"  # (limit)
    LONG_ROW = "long_row"  # (line, limit), in KiB
    TOO_LARGE = "too_large"  # (limit), in MiB
    PDF = "pdf"
    ARCHIVE = "archive"
    IMAGE = "image"
    WEB_PAGE = "web_page"
    JSON = "json"
    NOT_TEXT = "not_text"  # (line)
    BROKEN_TEXT = "broken_text"  # (line)
    LONG_LINE = "long_line"  # (line, limit), in KiB
    TOO_MANY_LINES = "too_many_lines"  # (limit)
    OPEN_QUOTE = "open_quote"  # (line)
    TOO_MANY_COLUMNS = "too_many_columns"  # (line, columns, limit)
    TOO_MANY_ROWS = "too_many_rows"  # (limit)

    HEADER_ONLY = "header_only"
    NO_HEADER = "no_header"  # (found)
    MISSING_COLUMN = "missing_column"  # (field, found)
    MISSING_COLUMNS = "missing_columns"  # (found)
    DOUBLE_COLUMN = "double_column"  # (field, found)
    OTHER_COLUMNS = "other_columns"  # (found)
    TOO_MANY_RECORDS = "too_many_records"  # (found)
    NO_TYPE = "no_type"  # (field, found)

    ACCESS_ENDED = "access_ended"  # nothing is wrong with it, but whose it is may not act any more


# What somebody can put right by saying what the columns mean, or in which encoding they are.
OF_THE_COLUMNS = frozenset(
    {
        FileReason.NO_HEADER,
        FileReason.MISSING_COLUMN,
        FileReason.MISSING_COLUMNS,
        FileReason.DOUBLE_COLUMN,
        FileReason.TOO_MANY_RECORDS,
        FileReason.NO_TYPE,
        FileReason.OTHER_COLUMNS,
    }
)


class FileError(Exception):
    """The file as a whole cannot be read: `reason` says why, `facts` are for the sentence."""

    def __init__(self, reason: FileReason, **facts: str | int) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.facts = facts


# What stands among the first bytes of a zip that is an office document.
OFFICE_PARTS = re.compile(rb"\[Content_Types\]|_rels/|xl/|docProps/|opendocument")
_FIRST_BYTES = {
    b"\xd0\xcf\x11\xe0": FileReason.WORKBOOK,
    b"PK\x03\x04": FileReason.ARCHIVE,
    b"PK\x05\x06": FileReason.ARCHIVE,
    b"\x1f\x8b": FileReason.ARCHIVE,
    b"7z\xbc\xaf": FileReason.ARCHIVE,
    b"Rar!": FileReason.ARCHIVE,
    b"BZh": FileReason.ARCHIVE,
    b"\xfd7zXZ": FileReason.ARCHIVE,
    b"\x28\xb5\x2f\xfd": FileReason.ARCHIVE,
    b"%PDF": FileReason.PDF,
    b"\x89PNG": FileReason.IMAGE,
    b"\xff\xd8\xff": FileReason.IMAGE,
    b"GIF8": FileReason.IMAGE,
    b"RIFF": FileReason.IMAGE,
}
# What texts of another kind begin with, after spaces and byte order marks.
_FIRST_WORDS = [
    (
        re.compile(rb"<(!doctype|!--|html|head|body|table|\?xml)", re.IGNORECASE),
        FileReason.WEB_PAGE,
    ),
    (re.compile(rb'[\[{]\s*["\[{\d]'), FileReason.JSON),
]


def refuse_other_kinds(head: bytes) -> None:
    """Raise FileError if a file that begins with `head` is known to be no text with columns."""
    kind = next((kind for start, kind in _FIRST_BYTES.items() if head.startswith(start)), None)
    if kind is FileReason.ARCHIVE and head[:2] == b"PK" and OFFICE_PARTS.search(head):
        kind = FileReason.WORKBOOK
    if kind:
        raise FileError(kind)
    # Every second byte of UTF-16 is 0 here.
    text = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    for pattern, kind in _FIRST_WORDS:
        if pattern.match(text):
            raise FileError(kind)
