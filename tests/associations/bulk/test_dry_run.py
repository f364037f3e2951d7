import time
from unittest.mock import patch

from django.test import override_settings

from associations.audit.recorder import RequestMeta
from associations.bulk import dry_run, services, staging
from associations.bulk.corrections import corrections_of
from associations.bulk.leases import claim
from associations.gateway.account import type_choices
from associations.models import BulkRun, RunState, SendMode
from tests.associations.bulk.engine import HEADER, EngineTestCase, row
from tests.associations.bulk.files.workbooks import workbook_of


class StagingTests(EngineTestCase):
    def states(self, run: BulkRun) -> list[str]:
        return list(run.rows.order_by("number").values_list("state", flat=True))

    def read(self, run: BulkRun, seconds: float = 10) -> BulkRun:
        """A worker's turn, after one that died."""
        BulkRun.objects.filter(pk=run.pk).update(owner="", lease_until=None)
        claimed = claim(BulkRun.objects.filter(pk=run.pk))
        dry_run.read_run(claimed, time.monotonic() + seconds)
        run.refresh_from_db()
        return run

    def test_rows_doubles_and_what_is_wrong(self) -> None:
        run = self.read(self.uploaded(row(1), "Contact,a=b,Company,1", row(2), row(1)))
        self.assertEqual(self.states(run), ["ready", "invalid", "ready", "double"])
        counts = (run.rows_read, run.rows_invalid, run.rows_double, run.rows_ready)
        self.assertEqual((run.state, *counts), (RunState.READY, 4, 1, 1, 2))

    @patch.object(staging, "ROWS_AT_ONCE", 2)
    def test_it_goes_on_where_it_was_interrupted(self) -> None:
        run = self.uploaded(*map(row, range(5)), row(0), "Contact,a=b,Company,1")
        for turn in range(1, 4):
            self.assertEqual(self.read(run, seconds=0).rows_read, min(7, 2 * turn))
            self.assertEqual(run.state, RunState.READING)
        self.assertEqual(self.read(run).state, RunState.READY)
        self.assertEqual(self.states(run), ["ready"] * 5 + ["double", "invalid"])
        counts = (run.rows_read, run.rows_invalid, run.rows_double)
        self.assertEqual(counts, (7, 1, 1))

    @patch.object(staging, "ROWS_AT_ONCE", 2)
    def test_it_goes_on_there_whoever_has_staged_some_meanwhile(self) -> None:
        """A process keeps the file open that it was at, and others may have read on."""
        run = self.uploaded(*map(row, range(9)))
        self.read(run, seconds=0)
        mine = dict(staging._open)
        staging._open.clear()
        self.read(run, seconds=0)
        staging._open.update(mine)
        self.read(run, seconds=0)
        self.read(run)
        ids = run.rows.order_by("number").values_list("from_object_id", flat=True)
        self.assertEqual([*ids], [str(1_000_001 + n) for n in range(9)])
        self.assertEqual(run.rows_read, 9)

    def file(self, text: str) -> BulkRun:
        file = {"name": "x.csv", "parts": [text.encode()], "way": "batch"}
        return services.create(user=self.user, meta=RequestMeta(), **file)

    def to_correct(self, run: BulkRun) -> bytes:
        return b"".join(corrections_of(run, type_choices().resolve).content)

    def test_what_is_refused_for_its_length_is_so_when_it_comes_back(self) -> None:
        """Cut, it would be taken at the second upload, and nobody would know."""
        head, reason = f"{HEADER},reason\n", "Because " * 75
        address = "https://app.hubspot.com/contacts/1/record/0-1/501/?" + "q" * 2_500
        for bad in (f"{row(1)},{reason}", f",{address},Company,902,x"):
            first = self.read(self.file(head + bad))
            self.assertEqual(first.rows_invalid, 1)
            lines = self.to_correct(first).decode("utf-8-sig")
            self.assertIn(reason.strip() if reason in bad else address, lines)
            again = self.read(self.file(lines))
            self.assertEqual((again.rows_read, again.rows_invalid), (1, 1))
            codes = [each.rows.get().problem for each in (first, again)]
            self.assertEqual(codes[0], codes[1])

    @override_settings(BULK_MAX_ROWS=2)
    def test_a_file_that_cannot_be_taken(self) -> None:
        run = self.read(self.uploaded(*map(row, range(3))))
        self.assertEqual((run.state, run.problem), (RunState.UNREADABLE, "too_many_rows"))

    @override_settings(BULK_MAX_ROWS=5)
    @patch.object(staging, "ROWS_AT_ONCE", 2)
    def test_nothing_stays_of_a_file_whose_end_cannot_be_taken(self) -> None:
        """It does not count as waiting, so somebody could have any number of them."""
        run = self.read(self.uploaded(*map(row, range(6))))
        self.assertEqual((run.state, run.rows_read), (RunState.UNREADABLE, 4))
        self.assertFalse(run.rows.exists())

    def workbook(self, *rows: list[object], size: int = 512 * 1024) -> BulkRun:
        content = workbook_of(*rows, header=HEADER.split(","))
        parts = [content[at : at + size] for at in range(0, len(content), size)]
        file = {"name": "x.xlsx", "parts": parts, "way": "batch"}
        return services.create(user=self.user, meta=RequestMeta(), **file)

    def test_a_workbook_in_parts(self) -> None:
        good = ["Contact", 1000002, "Company", 2000002]
        run = self.read(self.workbook(good, ["Contact", 10**17, "Company", 1], good, size=500))
        self.assertEqual(self.states(run), ["ready", "invalid", "double"])
        bad = run.rows.get(state="invalid")
        told = bad.line, bad.problem_field, bad.problem, bad.facts["cell"]
        self.assertEqual(told, (3, "from_object_id", "rounded", "B3"))
        self.assertEqual(bad.cells["from_object_id"], "1E+17")
        file = {"name": "x.xlsx", "parts": [self.to_correct(run)], "way": "batch"}
        again = self.read(services.create(user=self.user, meta=RequestMeta(), **file))
        self.assertEqual(again.rows.get().problem, "rounded")

    @patch.object(staging, "ROWS_AT_ONCE", 2)
    def test_a_workbook_goes_on_where_it_was_interrupted_whoever_goes_on(self) -> None:
        rows = [["Contact", 1000002 + n, "Company", 2000002] for n in range(7)]
        run = self.workbook(*rows)
        self.read(run, seconds=0)
        staging._open.clear()
        self.read(run, seconds=0)
        self.assertEqual((run.state, run.rows_read), (RunState.READING, 4))
        self.read(run)
        ids = run.rows.order_by("number").values_list("from_object_id", flat=True)
        self.assertEqual([*ids], [str(1000002 + n) for n in range(7)])

    def test_a_workbook_that_cannot_be_read(self) -> None:
        content = workbook_of(["Contact", 1, "Company", 2])[:-30]
        file = {"name": "x.xlsx", "parts": [content], "way": "batch"}
        run = services.create(user=self.user, meta=RequestMeta(), **file)
        self.read(run)
        self.assertEqual((run.state, run.problem), (RunState.UNREADABLE, "damaged_workbook"))

    @override_settings(HUBSPOT_VERIFY=True)
    def test_links_that_are_there_and_hubspot_that_does_not_say(self) -> None:
        self.sandbox.link("contacts", "1000002", "companies", "2000002")
        run = self.read(self.uploaded(row(0), row(1)))
        self.assertEqual((run.rows_looked_up, run.rows_linked), (2, 1))
        self.fault(method="POST", status=503, times=None)
        run = self.read(self.uploaded(row(0)))
        self.assertEqual((run.state, run.lookup_cause), (RunState.READY, "hubspot_down"))

    @override_settings(HUBSPOT_VERIFY=True)
    def test_links_of_records_that_were_merged(self) -> None:
        for number in (2, 3, 5):
            self.sandbox.link("contacts", str(1_000_001 + number), "companies", "901")
        for number in (1, 2, 3):
            ends = ("contacts", str(1_000_001 + number), "companies", str(2_000_001 + number))
            self.sandbox.link(*ends)
        self.sandbox.merge("contacts", "1000002", "88")
        self.sandbox.merge("companies", "2000003", "99")
        self.sandbox.merge("contacts", "1000004", "1000005")
        self.sandbox.merge("companies", "2000004", "98")
        run = self.read(self.uploaded(*map(row, range(7)), "Contact,1000006,Company,901"))
        seen = run.rows.order_by("number").values_list("was_linked", flat=True)
        self.assertEqual(list(seen), [False, True, True, True, False, False, False, True])
        self.assertEqual((run.rows_looked_up, run.rows_linked), (8, 4))

    @override_settings(HUBSPOT_VERIFY=True)
    def test_what_is_not_linked_at_all_costs_no_call_more(self) -> None:
        self.read(self.uploaded(*map(row, range(9))))
        paths = [request["path"] for request in self.sandbox.requests]
        asked = [path for path in paths if path.endswith("batch/read")]
        self.assertEqual(sum("associations" in path for path in asked), 1)
        self.assertEqual(len(asked), 3)  # and one for the names of each side

    def test_failed_rows_are_read_from_the_run_they_failed_in(self) -> None:
        self.sandbox.fault(method="PUT", path="/700000", status=500, times=None)
        rows = row(1), row(2, 7_000_001), row(3, 7_000_002)
        first = self.finish(self.queued(*rows, way=SendMode.SINGLE))
        again = self.read(services.retry(user=self.user, meta=RequestMeta(), run=first))
        self.assertEqual(list(again.rows.values_list("number", flat=True)), [2, 3])
