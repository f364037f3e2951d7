"""Files of settings: read as they are, made for one account alone, and only ever added to."""

import grp
import os
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import environ


@dataclass(slots=True)
class SettingsFile:
    """One that may not be there yet; `group` may read it if root makes it, and else nobody."""

    path: Path
    group: str = ""
    lines: dict[str, str] = field(init=False)  # as hubadmin reads them

    def __post_init__(self) -> None:
        """Raises OSError where there is one that cannot be read."""
        self.path = self.path.resolve()

        class Reader(environ.Env):
            ENVIRON: dict[str, str] = {}  # and not this process's

        Reader.read_env(StringIO(self._text()))
        self.lines = {name: value for name, value in Reader.ENVIRON.items() if value}

    def _text(self) -> str:
        try:
            return self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        except UnicodeDecodeError as error:
            raise OSError(f"{self.path} is no text in UTF-8.") from error

    def add(self, values: dict[str, str]) -> list[str]:
        """Write what is not there yet, and return its names. Raises OSError.

        The file is there whole or not at all, and before it holds anything it is nobody else's.
        """
        new = {name: value for name, value in values.items() if value and name not in self.lines}
        if not new:
            return []
        text = self._text()
        text += "" if text.endswith("\n") or not text else "\n"
        text += "".join(f"{name}={_quoted(value)}\n" for name, value in new.items())
        with TemporaryDirectory(dir=self.path.parent, prefix=".setup-") as folder:
            file = Path(folder) / self.path.name
            number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(number, "w", encoding="utf-8") as opened:
                if (group := group_id(self.group)) is not None and os.geteuid() == 0:
                    os.fchown(number, 0, group)
                    os.fchmod(number, 0o640)
                opened.write(text)
                opened.flush()
                os.fsync(number)
            file.replace(self.path)
        self.lines |= new
        return [*new]


def group_id(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def _quoted(value: str) -> str:
    """As django-environ takes it back: it takes quotes off at both ends.

    What stands between single ones compose, too, takes as it is, with `$` and `#`.
    """
    if {*"$#"} & {*value} and not {*"'\\"} & {*value} and value[-1] != '"':
        return f"'{value}'"
    if value[0] not in "'\"":
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
