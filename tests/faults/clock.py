"""Clocks that are wrong, and can be set while processes run: the time of day alone."""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

SOURCE = Path(__file__).with_suffix(".c")


class Clock:
    """A clock for whatever is started with `environment`; it needs a C compiler, `cc`."""

    def __enter__(self) -> Self:
        self._folder = TemporaryDirectory(prefix="clock-")
        folder = Path(self._folder.name)
        folder.chmod(0o755)  # whoever has the clock may be somebody else, as PostgreSQL
        library, self._file = folder / "clock.so", folder / "ahead"
        build = ["cc", "-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl"]
        subprocess.run(build, check=True)
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_AHEAD": str(self._file)}
        self.set_ahead(0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    def set_ahead(self, seconds: int) -> None:
        """Set it so many seconds ahead of the right time, or behind; at once, for all of them."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds}\n")
        new.replace(self._file)
