import json
import logging
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from hubadmin.doctor import Looked, examine
from hubadmin.startup import VERSION
from hubadmin.web.doctor import Finding, Level

CODES = {Level.OK: 0, Level.WARNING: 1, Level.FAILED: 2}


class Command(BaseCommand):
    help = (
        "Try everything that hubadmin needs, from here: settings, database, HubSpot, sign-in, "
        "clock, room. Exit codes: 0 all is well, 1 a warning, 2 something failed."
    )
    requires_system_checks = []  # it tells what they say, and goes on

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, json: bool, **options: Any) -> None:
        logging.disable()  # what a room says to the log of an outage, with where it was
        try:
            looked = examine()
        finally:
            logging.disable(logging.NOTSET)
        levels = [finding.level for each in looked for finding in each.findings]
        worst = max(levels, key=CODES.__getitem__, default=Level.OK)
        self._write_json(worst, looked) if json else self._write(worst, looked)
        sys.exit(CODES[worst])

    def _write(self, worst: Level, looked: list[Looked]) -> None:
        for each in looked:
            for finding in each.findings:
                self.stdout.write(f"{finding.level:8}{each.title}: {finding.text}")
                if finding.advice:
                    self.stdout.write(f"{'':8}→ {finding.advice}")
        self.stdout.write(f"{worst.upper()}")

    def _write_json(self, worst: Level, looked: list[Looked]) -> None:
        facts = {
            "status": worst,
            "exit_code": CODES[worst],
            **VERSION,
            "at": timezone.now().isoformat(timespec="seconds"),
            "sections": [
                {"name": each.title, "findings": [*map(_facts, each.findings)]} for each in looked
            ],
        }
        self.stdout.write(json.dumps(facts, indent=2, ensure_ascii=False))


def _facts(finding: Finding) -> dict[str, str]:
    return {"level": finding.level, "text": finding.text, "advice": finding.advice}
