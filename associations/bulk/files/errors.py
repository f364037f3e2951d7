"""Why a file cannot be read, and what its first bytes say it is."""

import re
from enum import StrEnum


class FileReason(StrEnum):
    """Why a file cannot be read; the facts that go with it stand in brackets."""

    EMPTY = "empty"
    WORKBOOK = "workbook"
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
    TOO_MANY_RECORDS = "too_many_records"  # (found)
    NO_TYPE = "no_type"  # (field, found)

    ACCESS_ENDED = "access_ended"  # nothing is wrong with it, but whose it is may not act any more


class FileError(Exception):
    """The file as a whole cannot be read: `reason` says why, `facts` are for the sentence."""

    def __init__(self, reason: FileReason, **facts: str | int) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.facts = facts


_OFFICE_PARTS = re.compile(rb"\[Content_Types\]|_rels/|xl/|docProps/|opendocument")
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
    if kind is FileReason.ARCHIVE and head[:2] == b"PK" and _OFFICE_PARTS.search(head):
        kind = FileReason.WORKBOOK
    if kind:
        raise FileError(kind)
    # Every second byte of UTF-16 is 0 here.
    text = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    for pattern, kind in _FIRST_WORDS:
        if pattern.match(text):
            raise FileError(kind)
