"""Only the recorder writes the log: read from the source of every module of the product."""

import ast
from collections.abc import Iterator
from pathlib import Path
from unittest import TestCase

from django.conf import settings

LOG = {
    "AssociationRequest",
    "AssociationAttempt",
    "AssociationBatch",
    "AssociationCheck",
    "AuditExport",
    "SecurityEvent",
    "AuditVerification",
    "AuditTimestamp",
}
# How rows of the log are reached from others, and what a variable that holds one is called.
RELATED = {"entries", "open_entries", "attempts", "batches", "checks", "events"}
VARIABLES = {"entry", "attempt", "batch", "check", "export", "record", "event"}
WRITES = {"create", "bulk_create", "get_or_create", "update", "bulk_update", "update_or_create"}
WRITES |= {"acreate", "aupdate", "abulk_create", "abulk_update", "aget_or_create"}
TABLES = tuple(f"associations_{name.lower()}" for name in LOG)
RECORDER = "associations/audit/recorder/"


def writes(source: str) -> Iterator[str]:
    """Each place that would write a row of the log."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            names = list(_names(node.func))
            called, rest = names[0], set(names[1:])
            is_log = rest & (LOG | RELATED)
            if (
                called in LOG
                or (called in WRITES and is_log)
                or (called in ("save", "asave") and (is_log or set(names[1:2]) & VARIABLES))
            ):
                yield ast.unparse(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = node.value.split()
            if any(verb in words for verb in ("INSERT", "UPDATE")) and (
                any(table in node.value for table in TABLES) or words[-1] in ("INTO", "UPDATE")
            ):
                yield node.value


def _names(node: ast.AST) -> Iterator[str]:
    """What a chain such as `Model.objects.filter().update` names, from its end."""
    if isinstance(node, ast.Attribute):
        yield node.attr
        yield from _names(node.value)
    elif isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Call | ast.Subscript):
        yield from _names(node.func if isinstance(node, ast.Call) else node.value)
    else:
        yield ""


class OnlyWriterTests(TestCase):
    def test_nobody_else_writes_the_log(self) -> None:
        root = Path(settings.BASE_DIR)
        modules = [*root.glob("associations/**/*.py"), *root.glob("hubadmin/**/*.py")]
        # The ring of calls is no part of the log, and rows of files are none; triggers copy its
        # texts to the index for search.
        own_sql = ("gateway/call_limit.py", "gateway/rate_limiter.py", "integrity/triggers.py")
        own_sql += ("associations/db.py", "bulk/staging.py")
        found = {
            name: places
            for path in modules
            if not (name := path.relative_to(root).as_posix()).startswith(RECORDER)
            and "migrations" not in name
            and not name.endswith(own_sql)
            and (places := [*writes(path.read_text(encoding="utf-8"))])
        }
        self.assertEqual(found, {})
        self.assertGreater(len(modules), 100)

    def test_the_recorder_does(self) -> None:
        modules = (Path(settings.BASE_DIR) / RECORDER).glob("*.py")
        found = [place for path in modules for place in writes(path.read_text(encoding="utf-8"))]
        self.assertGreater(len(found), 8)

    def test_every_way_to_write_is_seen(self) -> None:
        for source in (
            "AssociationRequest.objects.create(user=user)",
            "AssociationRequest(user=user).save()",
            "models.AssociationAttempt.objects.bulk_create(rows)",
            "AssociationRequest.objects.filter(pk=1).exclude(cause='').update(cause='x')",
            "run.entries.filter(pk=1).update(outcome='linked')",
            "chunk.open_entries[:3].update(outcome='linked')",
            "entry.checks.create(is_linked=True)",
            "entry.save(update_fields=['cause'])",
            "run.batches.get_or_create(cause='x')",
            "AuditExport.objects.filter(pk=1).update(rows=3)",
            "SecurityEvent.objects.bulk_create(rows)",
            "run.events.create(what='run_started')",
            "cursor.execute('UPDATE associations_associationrequest SET cause = 1')",
            "cursor.execute(f'INSERT INTO {table} (id) VALUES (1)')",
        ):
            with self.subTest(source):
                self.assertTrue([*writes(source)])

    def test_reading_is_no_writing(self) -> None:
        for source in (
            "AssociationRequest.objects.filter(outcome='linked').values_list('pk')",
            "run.rows.filter(pk=1).update(was_linked=True)",
            "chunk.entries.filter(pk__in=ids).exists()",
            "session.save()",
            "told.update(entry=1)",
        ):
            with self.subTest(source):
                self.assertEqual([*writes(source)], [])
