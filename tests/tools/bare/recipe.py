"""The commands of a README, as somebody reads them who copies one after the other."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
# What stands before a `…`: the name of a variable, or of an option.
_TO_FILL = re.compile(r"([\w-]+)([= ]['\"]?)…")
_EDITORS = re.compile(r"(?<![\w./-])(nano|vim?|editor|\$EDITOR)(?=\s)")
_JOINTS = re.compile(r"&&|\|\||;|\|")


@dataclass
class Command:
    """What is typed before one Enter, or several where the shell wants more lines."""

    text: str
    filled: list[str] = field(default_factory=list)

    @property
    def opens_editor(self) -> bool:
        """Whether somebody has to edit something by hand."""
        return bool(_EDITORS.search(self.text))

    @property
    def parts(self) -> int:
        """How many commands are joined in it, about."""
        return 1 + len(_JOINTS.findall(self.text))


def commands(readme: Path, values: Mapping[str, str], number: int = 0) -> list[Command]:
    """Return those of the block of that number, filled in. Raises KeyError for an unknown `…`."""
    block = _BLOCK.findall(readme.read_text(encoding="utf-8"))[number]
    return [_filled_in(text, values) for text in _whole(block.splitlines())]


def _whole(lines: list[str]) -> Iterator[str]:
    """Put together what the shell would take as one; comments alone are left out."""
    text = ""
    for line in lines:
        text = f"{text}\n{line}" if text else line
        if not _wants_more(text):
            if text.strip() and not text.lstrip().startswith("#"):
                yield text
            text = ""
    if text:
        raise ValueError(f"No shell would take this for whole:\n{text}")


def _wants_more(text: str) -> bool:
    command = "bash", "-n"
    read = subprocess.run(command, input=f"{text}\n", capture_output=True, text=True)
    return text.endswith("\\") or bool(read.returncode) or "here-document" in read.stderr


def _filled_in(text: str, values: Mapping[str, str]) -> Command:
    filled: list[str] = []

    def fill(found: re.Match[str]) -> str:
        filled.append(found[1])
        return f"{found[1]}{found[2]}{values[found[1]]}"

    return Command(_TO_FILL.sub(fill, text), filled)
