"""A log to tamper with, and a table of what was found: TAMPER_TABLE=1 prints it."""

import os
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import Model

from associations.audit.integrity.manifest import head_of, read
from associations.audit.integrity.serialization import digest, each_line
from associations.models import (
    AssociationAttempt,
    AssociationCheck,
    AssociationRequest,
    AuditExport,
    AuditSeal,
)
from tests.associations.audit.integrity.base import (
    ATTEMPT,
    BATCH,
    CHECK,
    ENTRY,
    LONG_AGO,
    LogTestCase,
    as_owner,
    items_of,
    run,
    seal,
    settle,
    skip_a_number,
    sql,
)


def columns_but(*others: str, model: type[Model] = AssociationRequest) -> str:
    names = (field.column for field in model._meta.concrete_fields)
    return ", ".join(f'"{name}"' for name in names if name not in others)


class TamperTestCase(LogTestCase):
    """Five seals; a number that was given up between two entries; one entry that is still open."""

    table: list[tuple[str, str]] = []

    @classmethod
    def tearDownClass(cls) -> None:
        super().tearDownClass()
        if os.environ.get("TAMPER_TABLE") and cls.table:
            width = max(len(name) for name, _ in cls.table)
            print(f"\n{cls.__name__} on {connection.vendor}")
            print("\n".join(f"{name:{width}} | {answer}" for name, answer in cls.table))
        cls.table.clear()

    def setUp(self) -> None:
        super().setUp()
        self.seals: list[AuditSeal] = []
        self.moment = LONG_AGO
        self.still_open = self.open_entry()
        self.first = self.entry(reason="SUP-1"), self.entry(attempts=2)
        self.seal_all()
        self.second = self.entry(reason="SUP-2", error_text="refused"), self.entry(attempts=2)
        self.late, self.taken = self.late_attempt(self.second[0]), self.export()
        self.checks = self.check(self.first[0]), self.check(self.second[0], is_linked=False)
        self.seal_all()
        before = self.entry()
        self.gap, self.attempt_gap = skip_a_number(ENTRY), skip_a_number(ATTEMPT)
        self.check_gap = skip_a_number(CHECK)
        self.third = before, self.entry()
        self.check(self.third[0])
        self.batches = [self.batch(self.bulk_run(), body=text) for text in ('{"a": 1}', '{"b": 2}')]
        self.batch_gap = skip_a_number(BATCH)
        self.batches.append(self.batch(self.batches[0].run))
        self.of_batch = self.closed_by(self.batches[0], 2)
        self.seal_all()
        for _ in range(2):
            self.entry(), self.entry()
            self.seal_all()
        self.moment = None
        settle()

    def seal_all(self) -> None:
        self.seals += seal(at=LONG_AGO + timedelta(days=len(self.seals)))
        if self.moment:
            self.moment = LONG_AGO + timedelta(days=len(self.seals))

    def add_entry(self, number: int) -> None:
        names = columns_but("id", "submit_key")
        sql(
            f'INSERT INTO {ENTRY} ("id", {names}) SELECT %s, {names} FROM {ENTRY} WHERE id = %s',
            *(number, self.first[0].pk),
        )

    def rows(self, *fields: str) -> list[tuple[Any, ...]]:
        return list(AuditSeal.objects.values_list(*fields))

    def assert_found(self, name: str, finding: str, *arguments: str) -> None:
        """It is the first thing that verify_audit_log names; and the table has it."""
        code, said = run("verify_audit_log", *arguments)
        self.tell(name, code, said)
        self.assertEqual(code, 1, said)
        self.assertRegex(said, f"^NOT PROVEN. {finding}")

    def assert_not_found(self, name: str, up_to: int, *arguments: str) -> str:
        """It is not found, and nothing is claimed but what still stands."""
        code, said = run("verify_audit_log", *arguments)
        self.tell(name, code, said)
        self.assertEqual(code, 0, said)
        self.assertIn(f"Proven up to seal {up_to} of", said)
        return said

    def tell(self, name: str, code: int, said: str) -> None:
        answer = re.sub(r"\b[0-9a-f]{64}\b", lambda match: f"{match[0][:8]}…", said.splitlines()[0])
        self.table.append((name, f"exit {code}: {answer}"))


class SealTestCase(TamperTestCase):
    def rewrite(self, first: int, sign: Callable[[str], str], *, key_id: str = "") -> None:
        """Change an entry, and all seals from this one on so that they fit it and each other."""
        entry = min(pk for kind, pk in items_of(self.seals[first - 1]) if kind == "entry")
        with as_owner():
            sql(f"UPDATE {ENTRY} SET reason = 'another' WHERE id = {entry}")
            previous = self.seals[first - 2].head if first > 1 else "0" * 64
            now = digest(dict(each_line("entry", [entry]))[entry])
            for each in AuditSeal.objects.filter(number__gte=first):
                old = read(each.manifest)
                text = each.manifest.replace(old.previous, previous)
                text = text.replace(f"{old.ids('entry').get(entry)}", now)
                text = text.replace(f"key {old.key_id}", f"key {key_id or old.key_id}")
                previous = head_of(text)
                AuditSeal.objects.filter(number=each.number).update(
                    manifest=text, head=previous, signature=sign(previous)
                )

    def remove_contents_of(self, *seals: AuditSeal) -> None:
        entries = [pk for kind, pk in items_of(*seals) if kind == "entry"]
        AssociationAttempt.objects.filter(request__in=entries).delete()
        AssociationCheck.objects.filter(entry__in=entries).delete()
        AssociationRequest.objects.filter(pk__in=entries).delete()
        exports = [pk for kind, pk in items_of(*seals) if kind == "export"]
        AuditExport.objects.filter(pk__in=exports).delete()
