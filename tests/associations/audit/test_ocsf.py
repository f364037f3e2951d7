"""The tables that say what each audit line is in OCSF: no line and no field lacks a place."""

import ast
import json
import logging
import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.test import SimpleTestCase, TestCase
from django.utils import timezone

from associations.audit import events
from associations.audit.integrity import sealing
from associations.audit.integrity.heads_file import LACKS
from associations.audit.integrity.timestamp_authority import Time
from associations.hubspot.answers import Answer
from associations.hubspot.outcomes import Cause
from associations.models import (
    AssociationBatch,
    AuditExport,
    AuditSeal,
    BulkChunk,
    EventKind,
    SecurityEvent,
)
from hubadmin.logging import REQUEST_ID, JSONFormatter
from tests.associations.linking.base import entry_of, run_of
from tests.support import person

README = settings.BASE_DIR / "associations" / "audit" / "README.md"
SOURCES = [
    path
    for path in (settings.BASE_DIR / "associations").glob("**/*.py")
    if 'getLogger("hubadmin.audit")' in path.read_text()
]
TOLD = "info"  # the level of what is an event; others are faults of hubadmin


def tables() -> tuple[list[list[str]], list[list[str]]]:
    """The rows of both, without their heads."""
    section = README.read_text().split("### As OCSF")[1].split("\n## ")[0]
    found = re.findall(r"((?:^\|.*\n)+)", section, re.M)
    kinds, fields = ([line.split(" | ") for line in each.splitlines()[2:]] for each in found)
    return kinds, fields


def named(cell: str) -> set[str]:
    return {*re.findall(r"`(\w[\w ]*)`", cell)}


def kinds_written() -> set[str]:
    """What the audit logger is given to say, in the source."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and (kind := _said(node, path)):
                found.add(kind)
    return found


def _said(call: ast.Call, path: Path) -> str:
    """The event that a call writes; empty if it writes none."""
    function = call.func
    if isinstance(function, ast.Name) and function.id == "_record":
        return call.args[1].value
    is_log = isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name)
    if not is_log or function.value.id != "logger" or function.attr != TOLD:
        return ""
    what = call.args[0]
    if isinstance(what, ast.Constant):
        return what.value
    if isinstance(what, ast.Name) and what.id == "what":
        return ""  # of _record()
    raise AssertionError(f"{path}: nobody can tell what line {call.lineno} says")


class KindTests(TestCase):
    def test_every_line_that_is_written_has_its_class(self) -> None:
        kinds, _ = tables()
        listed = set().union(*(named(cell) for cell, *_ in kinds))
        self.assertGreaterEqual(len(SOURCES), 2)
        self.assertEqual(listed, kinds_written() - {"security event"} | {*EventKind.values})

    def test_each_once_and_each_class_with_an_activity(self) -> None:
        kinds, _ = tables()
        listed = [each for cell, *_ in kinds for each in named(cell)]
        self.assertEqual(len(listed), len({*listed}))
        for _, class_, activity in kinds:
            self.assertRegex(class_, r"^\d{4} [A-Z]")
            self.assertRegex(activity, r"^\d [A-Z]")


class AlarmTests(SimpleTestCase):
    def test_every_error_that_is_told_of_the_log_is_named(self) -> None:
        section = " ".join(README.read_text().split("### As OCSF")[1].split())
        source = "".join(path.read_text() for path in SOURCES)
        alarms = {*re.findall(r'logger\.error\("([^"]+)"', source), LACKS}
        self.assertEqual(len(alarms), 4)
        for alarm in alarms:
            self.assertIn(f"`{alarm}`", section)


class FieldTests(TestCase):
    """Every line as it comes, with whatever it may have."""

    def lines(self) -> list[dict[str, Any]]:
        user, now, seen = person(), timezone.now(), []
        run = run_of(user)
        handler = logging.Handler()
        handler.emit = lambda record: seen.append(json.loads(JSONFormatter().format(record)))
        logger = logging.getLogger("hubadmin.audit")
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        reset = REQUEST_ID.set("f" * 32)
        self.addCleanup(REQUEST_ID.reset, reset)
        entry = entry_of(user, run=run, row_number=1, look_due=True)
        entry.undoes_id = entry.pk
        events.record_closed(entry)
        events.record_looked(entry)
        answer = Answer(Cause.CONFIRMED)
        batch = AssociationBatch(pk=1, run_id=run.pk, cause="confirmed", http_status=200)
        events.record_batch_closed(batch, (1, 2), answer, 2)
        events.record_canceled(run.pk, BulkChunk(first_id=1, last_id=2), 2)
        export = AuditExport.objects.create(user=user, format="csv", query="", started_at=now)
        events.record_exported(export, "complete", 3)
        what = EventKind.RUN_STARTED
        event = SecurityEvent.objects.create(at=now, what=what, user=user, run=run)
        events.record_security_event(event)
        entry_of(user)
        with self.captureOnCommitCallbacks(execute=True):
            [*sealing.seal_log()]
        events.record_told_time(AuditSeal.objects.last(), Time(now, "1.2.3", "1a"))
        return seen

    def test_every_field_of_every_line_has_its_attribute(self) -> None:
        _, fields = tables()
        listed = set().union(*(named(cell) for cell, *_ in fields))
        lines = self.lines()
        self.assertEqual({each["event"] for each in lines}, kinds_written())
        used = set().union(*lines)
        self.assertEqual(used - listed, set(), "no attribute is named for it")
        self.assertEqual(listed - used, set(), "no line has it")

    def test_fields_that_share_a_row_have_as_many_attributes_or_one_place(self) -> None:
        for cell, _, attributes in tables()[1]:
            first = attributes.rstrip(" |").partition(";")[0]
            count = len(re.findall(r"`[\w.\[\]]+`", first))
            if "the same name" not in attributes:
                self.assertEqual(count, len(named(cell.lstrip("| "))), cell)
