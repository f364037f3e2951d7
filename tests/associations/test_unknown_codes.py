"""Rows with codes that this version does not know, as a later one or a hand leaves them."""

import json
from collections.abc import Collection
from datetime import timedelta

from django.utils import timezone

from associations.audit.recorder import record_event
from associations.models import (
    AssociationAttempt,
    AssociationBatch,
    AssociationCheck,
    AssociationRequest,
    AuditExport,
    BulkRun,
    EventKind,
)
from associations.models.bulk import NOT_STARTED, RunState
from tests.associations.audit.integrity.base import unchecked
from tests.associations.linking.base import PageTestCase, entry_of, run_of

ODD = "odd{0}%s"  # would break a sentence that took it for its own
LATER = "of_a_later_version"[:12]  # in the form of codes, which the database takes
PAGES = ("/", "/requests/", "/bulk/", "/audit/", "/audit/figures/", "/audit/export.csv")
PAGES += ("/audit/export.jsonl", "/audit/exports/", "/audit/integrity/", "/status/")
PAGES += ("/status/times/", "/audit/events/", "/audit/events.csv", "/audit/events.jsonl")


class UnknownCodeTestCase(PageTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.bulk_run = run_of(self.user, queued=2, rejected=2, rows_read=3)
        self.run_page = self.bulk_run.get_absolute_url()
        self.enterContext(unchecked())

    def entry(self, **fields: object) -> AssociationRequest:
        return entry_of(self.admin, run=self.bulk_run, row_number=1, **fields)

    def row(self, number: int, state: str, problem: str = "", field: str = "to_id") -> None:
        self.bulk_run.rows.create(
            number=number, line=number + 1, state=state, problem=problem, problem_field=field
        )

    def text(self, path: str) -> str:
        answer = self.as_admin.get(path, headers={"HX-Request": "true"} if "?" in path else {})
        self.assertEqual(answer.status_code, 200, path)
        return answer.getvalue().decode()

    def every_page(self, entry: AssociationRequest) -> dict[str, str]:
        """What each page shows that has to do with the entry or the log."""
        own = entry.get_absolute_url()
        paths = [*PAGES, own, f"{own}records/", f"{own}support-bundle.txt"]
        return {path: self.text(path) for path in paths} | self.pages_of_run()

    def pages_of_run(self, without: Collection[str] = ()) -> dict[str, str]:
        names = ("", "results.csv", "bad-rows.csv", "progress/?state=ready")
        of_run = [f"{self.run_page}{name}" for name in names if name not in without]
        return {path: self.text(path) for path in ("/", "/bulk/", "/status/", *of_run)}


class EntryTests(UnknownCodeTestCase):
    def test_a_cause(self) -> None:
        codes = {"outcome": "rejected", "cause": ODD, "unverified_cause": ODD}
        entry_of(self.admin, **codes)
        entry = self.entry(**codes)
        pages = self.every_page(entry)
        shown = ("/requests/", "/audit/", entry.get_absolute_url(), self.run_page)
        for path in (*shown, "/audit/export.csv", f"{self.run_page}results.csv"):
            self.assertIn(ODD, pages[path], path)
        line = json.loads(pages["/audit/export.jsonl"].splitlines()[0])
        self.assertEqual(line["cause"], ODD)
        self.assertIsNone(entry.linked)

    def test_of_a_link_that_was_seen_no_more_is_said_than_that(self) -> None:
        seen = {"verified": True, "verified_at": timezone.now(), "was_linked": False}
        entry = self.entry(outcome="rejected", cause=ODD, **seen)
        page = self.every_page(entry)[entry.get_absolute_url()]
        self.assertIn(ODD, page)
        self.assertNotIn("after all", page)
        self.assertEqual(entry.linked, "yes")

    def test_an_outcome(self) -> None:
        for cause in ("", "confirmed", ODD):
            with self.subTest(cause):
                entry = entry_of(self.admin, outcome=ODD, cause=cause)
                pages = self.every_page(entry)
                for path in ("/requests/", "/audit/", entry.get_absolute_url()):
                    self.assertIn(ODD, pages[path], path)
                self.assertIn("cannot be read", pages["/audit/figures/"])
        self.assertNotIn("Linking Contact 501", pages["/requests/"])

    def test_of_a_later_version(self) -> None:
        entry = entry_of(self.admin, outcome=LATER, cause=LATER)
        pages = self.every_page(entry)
        for path in ("/requests/", "/audit/", "/audit/figures/", entry.get_absolute_url()):
            self.assertIn(LATER, pages[path], path)
        self.assertNotIn("cannot be read", pages["/audit/figures/"])

    def test_an_object_type(self) -> None:
        for name in ("0-1", "0-9999", "Foo bar", ODD):
            with self.subTest(name):
                entry = entry_of(self.admin, from_object_type=name)
                pages = self.every_page(entry)
                bundle = pages[f"{entry.get_absolute_url()}support-bundle.txt"]
                self.assertIn(f"/{name}/501/associations/default/companies/902", bundle)
                again = self.as_admin.post(f"{entry.get_absolute_url()}check/")
                self.assertIn("checked", again["Location"])

    def test_what_stands_around_an_entry(self) -> None:
        times = {"started_at": timezone.now(), "duration_ms": 1}
        batch = AssociationBatch.objects.create(
            run=self.bulk_run, inputs=2, cause=ODD, failure=ODD, **times
        )
        entry = self.entry(batch=batch)
        AssociationAttempt.objects.create(request=entry, number=1, failure=ODD, **times)
        check = {"user": self.user, "checked_at": timezone.now(), "duration_ms": 1, "cause": ODD}
        AssociationCheck.objects.create(entry=entry, **check)
        export = {"user": self.user, "format": ODD, "state": ODD, "started_at": timezone.now()}
        AuditExport.objects.create(**export)
        pages = self.every_page(entry)
        self.assertIn(ODD, pages[f"{entry.get_absolute_url()}support-bundle.txt"])
        self.assertIn(ODD, pages["/audit/exports/"])

    def test_a_failure_is_in_doubt_when_its_entry_is_closed_by_it(self) -> None:
        before = timezone.now() - timedelta(hours=1)
        still_open = {"outcome": "sending", "cause": "", "finished_at": None}
        entry = entry_of(self.admin, sent_at=before, **still_open)
        attempt = {"started_at": before, "duration_ms": 1, "failure": ODD}
        AssociationAttempt.objects.create(request=entry, number=3, **attempt)
        self.every_page(entry)
        entry.refresh_from_db()
        self.assertEqual((entry.outcome, entry.linked), ("unreachable", "perhaps"))


class SecurityEventTests(UnknownCodeTestCase):
    def test_one_of_an_odd_kind_with_odd_facts(self) -> None:
        facts = {"entry": ODD, "from": ["x"], "left_out": ODD, "file": {"a": 1}, "by": 7}
        record_event(ODD, user=self.user, **facts)
        for kind in EventKind:
            record_event(kind, user=self.user, run=self.bulk_run, **facts)
        pages = self.every_page(self.entry())
        for address in ("/audit/events/", "/audit/events.csv", "/audit/events.jsonl"):
            self.assertIn(ODD, pages[address])


class RunTests(UnknownCodeTestCase):
    def test_its_rows_and_events_in_every_state(self) -> None:
        self.entry()
        for number, state, problem in ((2, "invalid", ODD), (3, ODD, "")):
            self.row(number, state, problem, ODD)
        record_event(f"run_{ODD}", run=self.bulk_run)
        codes = {"stop_cause": ODD, "lookup_cause": ODD, "problem": ODD, "way": ODD}
        for state in (*RunState, ODD):
            with self.subTest(state):
                BulkRun.objects.update(state=state, rows_invalid=1, **codes)
                without = ["results.csv"] if state in NOT_STARTED else []
                without += ["bad-rows.csv"] if state in ("reading", "unreadable") else []
                pages = self.pages_of_run(without)
                self.assertIn(ODD, pages[self.run_page])
        self.assertIn(ODD, pages["/bulk/"])
        _head, _entry, invalid, odd = pages[f"{self.run_page}results.csv"].splitlines()
        self.assertTrue(invalid.endswith(f'"invalid","","{ODD}","","","",""'))
        self.assertTrue(odd.endswith(f'"{ODD}","","","","","",""'))
        self.assertIn(f'"{ODD}"', pages[f"{self.run_page}bad-rows.csv"])

    def test_problems_with_other_facts_than_their_sentences_ask_for(self) -> None:
        for number, problem in enumerate(("too_long", "no_type", "required"), 1):
            self.row(number, "invalid", problem, ODD)
        results = self.text(f"{self.run_page}results.csv")
        self.assertEqual([code in results for code in ("too_long", "no_type")], [True, True])
        for problem, facts in (("double_column", {"field": ODD}), ("long_line", {})):
            BulkRun.objects.update(state="unreadable", problem=problem, problem_facts=facts)
            self.assertIn(problem, self.text(self.run_page))
