"""Runs a command in this process, as a shell would see it."""

import io
import json
from typing import Any, NamedTuple

from django.core.management import call_command


class Ended(NamedTuple):
    code: int
    facts: dict[str, Any]
    said: str
    written: str


def run_command(*args: str) -> Ended:
    out, err = io.StringIO(), io.StringIO()
    code = 0
    try:
        call_command(*args, stdout=out, stderr=err, no_color=True)
    except SystemExit as end:
        code = int(end.code or 0)
    written = out.getvalue()
    return Ended(code, json.loads(written), err.getvalue(), written)
