import json
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import Error as DBError
from django.utils import timezone, translation
from django.utils.translation import gettext

from associations.audit import spool
from associations.status.auditlog import spool_lines
from associations.status.report import Item, Level, Section, headline_of, plain
from associations.status.sections import tell
from hubadmin.startup import VERSION

# As monitoring plug-ins have it: an exit code, and its word. What is not known is told, but is no
# alarm: HubSpot tells some keys less than others.
OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3
WORDS = ("ok", "warning", "critical", "unknown")
CODES = {Level.WRONG: CRITICAL, Level.WARNING: WARNING, Level.UNKNOWN: OK, Level.WELL: OK}


class Command(BaseCommand):
    help = (
        "Tell how things stand, as /status/ does. Exit codes are those of a monitoring plug-in: "
        "0 all is in order, 1 warning, 2 critical, 3 neither is known: settings or the database "
        "cannot be read."
    )
    requires_system_checks = []  # it is asked every minute, and tells how things are, not were set

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, json: bool, **options: Any) -> None:
        with translation.override("en"):
            code = self._tell(as_json=json)
        sys.exit(code)

    def _tell(self, *, as_json: bool) -> int:
        if settings.PROBLEMS:  # without DATABASE_URL's file, say, it would tell of another one
            self._write(UNKNOWN, " ".join(settings.PROBLEMS), [], as_json)
            return UNKNOWN
        try:
            parts = tell().parts
        except DBError as error:
            why = " ".join(str(error).split())
            waits = Section("log", gettext("The audit log"), [*spool_lines(spool.waiting())])
            parts = [waits] if waits.lines else []
            self._write(UNKNOWN, f"the database cannot be asked: {why}", parts, as_json)
            return UNKNOWN
        code = max(CODES[line.level] for part in parts for line in part.lines)
        worst = headline_of(parts) if code else None
        headline = f"{worst[0].title}: {plain(worst[1].text)}" if worst else "all is in order"
        self._write(code, headline, parts, as_json)
        return code

    def _write(self, code: int, headline: str, parts: list[Section], as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(_facts(code, headline, parts), indent=2))
            return
        self.stdout.write(f"{WORDS[code].upper()} - {headline}")
        for part in parts:
            for line in part.lines:
                told = " ".join(filter(None, (plain(line.text), *line.codes)))
                self.stdout.write(f"{line.level:8}{part.title}: {told}")


def _facts(code: int, headline: str, parts: list[Section]) -> dict[str, Any]:
    sections = [
        {"name": part.name, "lines": [_line(line) for line in part.lines]} for part in parts
    ]
    return {
        "status": WORDS[code],
        "exit_code": code,
        "headline": headline,
        **VERSION,
        "at": timezone.now().isoformat(timespec="seconds"),
        "sections": sections,
    }


def _line(line: Item) -> dict[str, Any]:
    told = {"text": plain(line.text), "advice": plain(line.advice)}
    return {"level": str(line.level), **told, "codes": list(line.codes), "event": line.event}
