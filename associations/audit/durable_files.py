"""Files of this account alone that are there, and whole, even after the power has failed."""

import os
from pathlib import Path


def create(file: Path) -> int:
    """Make a new file, and open it to be written. Raises FileExistsError."""
    return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def write(file: Path, text: str, *, errors: str = "strict") -> None:
    """Make a new file with this text, down to the disk; its folder may not know it yet."""
    with os.fdopen(create(file), "w", encoding="utf-8", errors=errors) as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())


def sync(path: Path) -> None:
    """Have the disk know what stands in a file, or in a folder: which files there are."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
