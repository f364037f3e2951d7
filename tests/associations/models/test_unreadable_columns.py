"""Values that the code cannot read, in every column: no page fails, whatever it shows.

Of each table one column of a kind takes every value of that kind by itself; its others take two of
them in turn, several columns side by side. One row of several is looked at on all of its pages;
with EVERY_VALUE=1 each column takes all values by itself, and each row is looked at.
"""

import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from django.db import connection, models
from django.test import tag
from django.utils import timezone

from associations.models import (
    AssociationAttempt,
    AssociationBatch,
    AssociationCheck,
    AssociationRequest,
    AuditExport,
    AuditPruning,
    AuditSeal,
    AuditVerification,
    BulkRow,
    BulkRun,
    CallPause,
    SecurityEvent,
    Sweep,
    Worker,
)
from associations.sweep import sweeping
from tests.associations.audit.integrity.base import LogMixin, as_owner, seal, sql, undone
from tests.associations.linking.base import PageTestCase, run_of
from tests.associations.models.unreadable_values import ODD_JSON, unreadable_values

PAGES = ("/", "/requests/", "/bulk/", "/audit/", "/audit/figures/", "/audit/export.csv")
PAGES += ("/audit/export.jsonl", "/audit/exports/", "/audit/integrity/", "/status/")
PAGES += ("/status/times/", "/audit/integrity/seals.jsonl", "/audit/records/contacts/501/")
# Where the rows of other tables are read than the entries, which are read everywhere.
READ_ON = {
    AssociationAttempt: ("/audit/export.jsonl", "/status/", "/status/times/"),
    AssociationCheck: ("/audit/export.jsonl",),
    AssociationBatch: ("/audit/export.jsonl", "/audit/"),
    AuditSeal: ("/audit/integrity/", "/audit/integrity/seals.jsonl", "/status/"),
    AuditPruning: ("/audit/integrity/",),
    AuditVerification: ("/audit/integrity/",),
    AuditExport: ("/audit/exports/", "/audit/integrity/"),
    BulkRun: ("/", "/bulk/", "/status/", "/audit/"),
    BulkRow: ("/bulk/",),
    SecurityEvent: ("/audit/events/", "/audit/events.csv", "/audit/events.jsonl"),
    CallPause: ("/bulk/", "/status/"),
    Worker: ("/bulk/", "/status/"),
    Sweep: ("/changed/", "/status/"),
}
EVERY_VALUE = bool(os.environ.get("EVERY_VALUE"))
# Every page reads one's ended runs, one by one where they cannot be read: no more than so many.
RUNS_AT_ONCE = 4
SIDE_BY_SIDE = 6  # as many as the shortest list shows
OF_RUN = ("", "results.csv", "bad-rows.csv", "progress/?state=ready")


def batched(cells: list[tuple[str, str]], size: int) -> Iterator[list[tuple[str, str]]]:
    return (cells[at : at + size] for at in range(0, len(cells), size))


@tag("long")
class EveryColumnTests(LogMixin, PageTestCase):
    """Of each table a row for each value of a column, among rows that can be read."""

    def setUp(self) -> None:
        super().setUp()
        self.user = self.admin
        self.as_admin.raise_request_exception = False
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)
        self.run_ = run_of(self.admin, queued=2, rejected=2, rows_read=3, rows_invalid=1)
        self.good = self.closed_by(self.batch(self.run_), 1)[0]
        self.attempt(self.good)
        self.check(self.good)
        self.made = 100
        self.enterContext(as_owner())
        for room in ("audit.pagination", "audit.event_views", "linking.own_requests"):
            self.enterContext(patch(f"associations.{room}.LIST_SECONDS", 60))  # however busy it is

    def make(self, model: type[models.Model]) -> tuple[Any, list[str]]:
        """A row, and the pages that have to do with it besides those that have to do with all."""
        self.made += 1
        number, now = self.made, timezone.now()
        own = self.good.get_absolute_url()
        of_run = [f"{self.run_.get_absolute_url()}{page}" for page in OF_RUN]
        match model.__name__:
            case "AssociationRequest":
                told = {"outcome": "rejected", "cause": "refused", "row_number": number}
                row = self.entry(attempts=0, run=self.run_, **told)
                return row, of_run
            case "AssociationAttempt":
                return self.attempt(self.good, number=number), [own, f"{own}support-bundle.txt"]
            case "AssociationCheck":
                return self.check(self.good), [own]
            case "AssociationBatch":
                batch = self.batch(self.run_)
                own = self.closed_by(batch, 1)[0].get_absolute_url()
                return batch, [own, f"{own}support-bundle.txt", *of_run[:2]]
            case "AuditSeal":
                self.entry(attempts=0)
                return seal()[-1], []
            case "AuditVerification":
                told = {"started_at": now, "finished_at": now, "is_proven": True}
                return AuditVerification.objects.create(seals=1, items=1, **told), []
            case "AuditExport":
                return self.export(), []
            case "AuditPruning":
                return self.pruning(), []
            case "BulkRun":
                run = run_of(self.admin, queued=2, rejected=2, rows_read=3, rows_invalid=1)
                return run, [f"{run.get_absolute_url()}{page}" for page in OF_RUN]
            case "BulkRow":
                BulkRun.objects.filter(pk=self.run_.pk).update(state="ready")
                told = {"line": 5, "state": "invalid", "problem": "required"}
                row = self.run_.rows.create(number=number, problem_field="to_object_id", **told)
                return row, [of_run[0], of_run[2]]
            case "SecurityEvent":
                return self.event(run=self.run_, what="run_started"), of_run[:1]
            case "CallPause":
                values = {"made_at": now, "until": now + timedelta(hours=1)}
                CallPause.objects.all().delete()
                return CallPause.objects.create(pk=1, cause="locked", **values), of_run[:1]
            case "Worker":
                return Worker.objects.create(name=str(number), seen_at=now), of_run[:1]
            case "Sweep":
                Sweep.objects.all().delete()
                pairs = [["contacts", "companies"]]
                told = {"day": sweeping._today(), "allowed": 5, "began_at": now, "pairs": pairs}
                return Sweep.objects.create(pk=1, **told), []
        raise AssertionError(model)

    def assert_no_page_fails(self, pages: list[str]) -> None:
        failed = {}
        for page in dict.fromkeys(pages):
            try:
                answer = self.as_admin.get(
                    page, headers={"HX-Request": "true"} if "?" in page else {}
                )
                answer.getvalue()
                if answer.status_code >= 500:
                    failed[page] = answer.status_code
            except Exception as error:  # what a download broke off with
                failed[page] = repr(error)
        self.assertEqual(failed, {})

    def put(self, model: type[models.Model], cells: list[tuple[str, str]]) -> list[str]:
        pages: list[str] = []
        for column, value in cells:
            row, own = self.make(model)
            cast = "" if connection.vendor == "sqlite" else self.cast_of(model, column)
            table, key = model._meta.db_table, model._meta.pk.column
            sql(f"UPDATE {table} SET {column} = {value}{cast} WHERE {key} = {row.pk}")
            if model is AssociationRequest:
                pages += own
                own = [f"/requests/{row.pk}/", f"/requests/{row.pk}/support-bundle.txt"]
            of_several = (column, value) != cells[-1] and model in (AssociationRequest, BulkRun)
            pages += own[:1] if of_several and not EVERY_VALUE else own
        return pages

    def cast_of(self, model: type[models.Model], column: str) -> str:
        field = next(each for each in model._meta.concrete_fields if each.column == column)
        return f"::{field.db_type(connection)}".replace("varchar", "text").split("(")[0]

    def trials(self, model: type[models.Model], at_once: bool) -> Iterator[list[tuple[str, str]]]:
        """Columns with their values, a row for each: what is looked at together."""
        seen, rest = Counter[str](), list[tuple[str, str]]()
        bound = RUNS_AT_ONCE if model is BulkRun else sys.maxsize
        most = bound if at_once else 1
        for field in model._meta.concrete_fields:
            if field.primary_key and model in (AssociationBatch, BulkRun, AuditExport):
                continue  # others refer to it, or SQLite numbers what a page adds after it
            values = list(unreadable_values(field))
            if isinstance(field, models.JSONField):
                values += [f"'{text}'" for text in ODD_JSON]
            kind = f"{type(field).__name__} {bool(field.choices)}"
            is_first = not seen[kind] or EVERY_VALUE
            if not is_first:
                two = [values[(2 * seen[kind] + n) % len(values)] for n in (0, 1) if values]
                values = list(dict.fromkeys(two))  # of one value there are no two
            seen[kind] += 1
            cells = [(field.column, value) for value in values]
            if is_first or field.primary_key:
                yield from batched(cells, 1 if field.primary_key else most)
            else:
                rest += cells
        yield from batched(rest, min(most, SIDE_BY_SIDE))

    def each(self, model: type[models.Model], at_once: bool = True) -> None:
        for cells in self.trials(model, at_once):
            with self.subTest(model.__name__, cells=cells), undone():
                pages = self.put(model, cells)
                self.assert_no_page_fails([*pages, *READ_ON.get(model, PAGES)])

    def test_entries(self) -> None:
        self.each(AssociationRequest)

    def test_attempts_checks_and_batches(self) -> None:
        for model in (AssociationAttempt, AssociationCheck, AssociationBatch):
            self.each(model)

    def test_seals_and_what_stands_beside_them(self) -> None:
        for model in (AuditSeal, AuditVerification, AuditPruning):
            self.each(model, at_once=False)
        self.each(AuditExport)

    def test_runs_and_their_rows(self) -> None:
        for model in (BulkRun, BulkRow, SecurityEvent):
            self.each(model)
        for model in (CallPause, Worker):
            self.each(model, at_once=False)

    def test_the_daily_look(self) -> None:
        """No page reads how far it has come, but workers do, each second."""
        with patch.object(self, "assert_no_page_fails", self.assert_a_step_can_be_taken):
            self.each(Sweep, at_once=False)

    def assert_a_step_can_be_taken(self, pages: list[str]) -> None:
        sweeping.take_step()
