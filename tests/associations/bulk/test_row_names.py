"""Names of records in a run: asked for by the dry run, kept with rows, sealed in the entries."""

import csv
import io
import time
from datetime import timedelta
from unittest.mock import patch

from django.core.cache import cache
from django.test import override_settings
from django.utils import timezone

from associations.audit.recorder import RequestMeta
from associations.bulk import dry_run, enqueueing, row_names, services
from associations.bulk.exports import result_lines
from associations.bulk.leases import claim
from associations.models import (
    AssociationRequest,
    AuditErasure,
    BulkRun,
    RecordNames,
    SendMode,
    name_digest,
)
from tests.associations.bulk.engine import FIRST_COMPANY, FIRST_CONTACT, EngineTestCase, row
from tests.support import SignedInClient, person

SIDES = ("from", "to")


@override_settings(HUBSPOT_VERIFY=True)
class NamesTestCase(EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        cache.clear()
        row_names._known.clear()

    def read(self, *lines: str, seconds: float = 10) -> BulkRun:
        return self.read_on(self.uploaded(*lines), seconds)

    def read_on(self, run: BulkRun, seconds: float = 10) -> BulkRun:
        BulkRun.objects.filter(pk=run.pk).update(owner="", lease_until=None)
        claimed = claim(BulkRun.objects.filter(pk=run.pk))
        dry_run.read_run(claimed, time.monotonic() + seconds)
        run.refresh_from_db()
        return run

    def nameless(self) -> str:
        return self.sandbox.create("contacts", {}, 0)

    def names(self, run: BulkRun) -> list[tuple[str, str]]:
        return list(run.rows.order_by("number").values_list("from_name", "to_name"))

    def reads(self) -> list[str]:
        paths = [request["path"] for request in self.sandbox.requests]
        return [p for p in paths if p.endswith("batch/read") and "associations" not in p]


class DryRunTests(NamesTestCase):
    def test_each_row_has_the_names_that_hubspot_has(self) -> None:
        run = self.read(row(0), row(1), row(2, self.nameless()), "Contact,501,Company,902")
        found = self.names(run)
        self.assertEqual(found[3], ("Ada Byron", "Analytical Ltd"))
        self.assertTrue(all(found[0] + found[1]))
        self.assertNotEqual(found[0], found[1])
        self.assertEqual((bool(found[2][0]), bool(found[2][1])), (False, True))
        salts = [s for pair in run.rows.values_list("from_salt", "to_salt") for s in pair if s]
        self.assertEqual((len(salts), len(set(salts))), (7, 7))
        self.assertEqual(len(self.reads()), 2)

    @patch.object(dry_run, "PAIRS_AT_ONCE", 2)
    def test_a_record_is_asked_for_once_a_run_whoever_reads_it(self) -> None:
        same = [f"Contact,{FIRST_CONTACT + n},Company,{FIRST_COMPANY}" for n in range(4)]
        run = self.uploaded(*same)
        self.read_on(run, seconds=0)
        self.read_on(run, seconds=0)
        row_names._known.clear()  # another process
        self.read_on(run)
        self.assertTrue(all(all(pair) for pair in self.names(run)))
        companies = [path for path in self.reads() if "companies" in path]
        self.assertEqual(len(companies), 1)

    @patch.object(row_names, "MOST_RECORDS", 3)
    def test_not_of_more_records_than_that(self) -> None:
        run = self.read(row(0), row(1), row(2))
        self.assertEqual(sum(bool(name) for pair in self.names(run) for name in pair), 3)
        self.assertEqual(run.rows_looked_up, 3)

    def test_hubspot_that_does_not_tell_stops_nothing(self) -> None:
        self.fault(method="POST", path="/objects/", status=403, times=None)
        run = self.read(row(0), row(1))
        self.assertEqual((run.state, run.rows_looked_up, run.lookup_cause), ("ready", 2, ""))
        self.assertEqual(self.names(run), [("", "")] * 2)

    @override_settings(KEEP_RECORD_NAMES=False)
    def test_none_is_kept_where_that_is_switched_off(self) -> None:
        run = self.read(row(0), row(1, 7_000_001))
        self.assertEqual(self.names(run), [("", "")] * 2)
        self.assertEqual([*run.rows.values_list("problem", flat=True)], ["", "missing"])

    def test_what_is_found_is_shown_before_the_start(self) -> None:
        run = self.read(row(0), "Contact,501,Company,902")
        page = SignedInClient(self.user).get(run.get_absolute_url())
        self.assertContains(page, "<bdi>Ada Byron</bdi>")
        self.assertContains(page, "Analytical Ltd")


class EntryTests(NamesTestCase):
    def start(self, run: BulkRun) -> BulkRun:
        services.start(user=self.user, run=run, way=run.way, skip_linked=False)
        return self.finish(run)

    def assert_open(self, run: BulkRun) -> list[AssociationRequest]:
        """Every digest opens, and there is none without a name."""
        entries = list(run.entries.select_related("names").order_by("row_number"))
        for entry in entries:
            for side in SIDES:
                digest = getattr(entry, f"{side}_name_digest")
                name = getattr(entry, f"{side}_name")
                self.assertEqual(bool(digest), bool(name))
                if digest:
                    typed = getattr(entry.names, f"{side}_typed")
                    salt = getattr(entry.names, f"{side}_salt")
                    self.assertEqual(digest, name_digest(salt, name, typed))
        return entries

    @patch.object(enqueueing, "ROWS_AT_ONCE", 2)
    def test_the_digests_of_the_entries_open(self) -> None:
        last = row(5, self.nameless()), "Contact,501,Company,902"
        run = self.read(*map(row, range(4)), *last)
        odd = 'Zoë 日本 O\'Brien %s \\ "x"'
        run.rows.filter(number=6).update(from_name=odd, from_typed="ada@example.com")
        entries = self.assert_open(self.start(run))
        self.assertEqual(RecordNames.objects.count(), 6)
        self.assertEqual(entries[5].from_name, odd)
        self.assertEqual(entries[5].names.from_typed, "ada@example.com")
        self.assertEqual([bool(entry.from_name) for entry in entries], [True] * 4 + [False, True])

    def test_a_row_without_any_name_has_no_more_than_an_entry(self) -> None:
        self.fault(method="POST", path="/objects/", status=403, times=None)
        run = self.read(row(0))
        self.sandbox.faults.clear()
        self.assert_open(self.start(run))
        self.assertFalse(RecordNames.objects.exists())

    def test_none_is_kept_where_that_was_switched_off_meanwhile(self) -> None:
        run = self.read(row(0))
        with override_settings(KEEP_RECORD_NAMES=False):
            self.start(run)
        self.assertFalse(RecordNames.objects.exists())
        self.assertEqual(run.entries.get().from_name_digest, "")

    def test_what_was_erased_since_does_not_come_back(self) -> None:
        """A worker that had read the names before may have written them after."""
        run = self.read(row(0), "Contact,501,Company,902", "Contact,502,Contact,501")
        tell = {"by": "the tests", "records": ["contacts/501"], "signature": "AAAA"}
        AuditErasure.objects.create(erased_at=timezone.now(), **tell)
        entries = self.assert_open(self.start(run))
        self.assertEqual([bool(entry.from_name) for entry in entries], [True, False, True])
        self.assertEqual([bool(entry.to_name) for entry in entries], [True, True, False])

    def test_nor_from_a_run_that_was_begun_before_and_goes_on_in_another(self) -> None:
        first = self.read(row(0))
        run = self.read("Contact,501,Company,902")
        now = timezone.now()
        BulkRun.objects.filter(pk=first.pk).update(created_at=now - timedelta(days=3))
        BulkRun.objects.filter(pk=run.pk).update(retry_of=first.pk)
        run.refresh_from_db()
        tell = {"by": "the tests", "records": ["contacts/501"], "signature": "AAAA"}
        AuditErasure.objects.create(erased_at=now - timedelta(days=2), **tell)
        (entry,) = self.assert_open(self.start(run))
        self.assertEqual((entry.from_name, bool(entry.to_name)), ("", True))

    def test_a_run_that_tries_again_has_them_under_salts_of_its_own(self) -> None:
        gone = self.nameless()
        first = self.read(row(0), row(1, gone))
        self.sandbox.fault(method="PUT", path=f"/{gone}/", status=500, times=None)
        first.rows.filter(number=2).update(from_name="Gone", from_salt="00" * 16)
        first.way = SendMode.SINGLE
        first = self.start(first)
        self.sandbox.faults.clear()
        with override_settings(HUBSPOT_VERIFY=False):
            again = services.retry(user=self.user, meta=RequestMeta(), run=first)
            again = self.start(self.read_on(again))
        (entry,) = self.assert_open(again)
        before = first.entries.get(row_number=2)
        self.assertEqual((entry.from_name, entry.to_name), ("Gone", before.to_name))
        self.assertNotEqual(entry.from_name_digest, before.from_name_digest)

    def test_so_has_a_run_that_was_taken_over(self) -> None:
        run, admin = self.read(row(0), row(1)), person("admin")
        self.user.is_active = False
        self.user.save()
        own = services.take_over(user=admin, run=run)
        with override_settings(HUBSPOT_VERIFY=False):
            own = self.read_on(own)
        self.assertEqual(self.names(own), self.names(run))
        salts = run.rows.values_list("from_salt", flat=True)
        self.assertFalse({*salts} & {*own.rows.values_list("from_salt", flat=True)})

    def test_the_results_and_the_page_speak_of_people(self) -> None:
        gone = self.nameless()
        run = self.read(row(0), row(1, gone), "Contact,501,Company,902")
        self.sandbox.archive("contacts", gone, lag=0)
        run = self.start(run)
        text = b"".join(result_lines(run)).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text)))
        self.assertEqual(list(rows[0])[-2:], ["from_name", "to_name"])
        self.assertEqual((rows[2]["from_name"], rows[2]["to_name"]), self.names(run)[2])
        self.assertEqual(rows[1]["from_name"], "")
        page = SignedInClient(self.user).get(run.get_absolute_url())
        self.assertContains(page, f"<bdi>{rows[1]['to_name']}</bdi>")
        self.assertContains(page, f"HubSpot has no contact {gone}.")
