"""Rows that the code cannot read, in every column: the database refuses them, pages name them."""

import json
import re
from datetime import UTC, datetime, timedelta
from unittest import mock

from django.db import DatabaseError, models, transaction
from django.test import TestCase, tag
from django.utils import timezone

from associations.audit import recorder
from associations.audit.integrity import triggers
from associations.models import (
    AssociationRequest,
    BulkRun,
)
from associations.models.readable import KeptQuery, UnreadableRow, read_rows
from tests.associations.audit.integrity.base import (
    ENTRY,
    LogMixin,
    as_owner,
    on_postgresql,
    settle,
    sql,
    undone,
)
from tests.associations.linking.base import PageTestCase, entry_of, run_of
from tests.associations.models.unreadable_values import unreadable_values
from tests.support import LINK, person

LINK_TYPED = LINK | {"from_object_type": "Contact", "to_object_type": "Company"}


class KeptQueryTests(LogMixin, TestCase):
    """A query whose SQL is kept reads what the query itself reads."""

    OWN = KeptQuery(
        lambda user, least: (
            AssociationRequest.objects.by_hand(user)
            .filter(row_number=None, pk__gte=least)
            .for_list()
            .with_undone()[:3]
        )
    )

    def rows_of(self, user: int, least: int) -> list[object]:
        entries = AssociationRequest.objects.by_hand(user).filter(pk__gte=least)
        return read_rows(entries.for_list().with_undone()[:3])

    def test_for_each_its_own(self) -> None:
        other = person("admin")
        made = [entry_of(user) for user in (self.user, other) * 4]
        for user in (self.user, other):
            for entry in made:
                wanted = user.pk, entry.pk
                with self.assertNumQueries(1):
                    found = self.OWN.read(*wanted)
                expected = self.rows_of(*wanted)
                self.assertEqual(found, expected)
                for one, same in zip(found, expected, strict=True):
                    self.assertEqual(one.get_deferred_fields(), same.get_deferred_fields())
                    kept, same_kept = vars(one).copy(), vars(same).copy()
                    self.assertIsNot(kept.pop("_state"), same_kept.pop("_state"))
                    self.assertEqual(kept, same_kept)
                    with self.assertNumQueries(0):
                        self.assertEqual(one.from_name, same.from_name)

    def test_one_that_cannot_be_read_stands_among_the_others(self) -> None:
        entries = [self.entry() for _ in range(3)]
        with as_owner():
            sql(f"UPDATE {ENTRY} SET sent_at = '20000-01-01' WHERE id = {entries[1].pk}")
        found = self.OWN.read(self.user.pk, 0)
        self.assertEqual([row.pk for row in found], [each.pk for each in reversed(entries)])
        kinds = [isinstance(row, UnreadableRow) for row in found]
        self.assertEqual(kinds, [False, True, False])


@tag("long")
class RefusalTests(LogMixin, TestCase):
    """With the constraints there, none of it gets in."""

    def refused(self, row: models.Model, column: str, value: str) -> bool:
        table, key = row._meta.db_table, row._meta.pk.column
        try:
            with transaction.atomic():
                sql(f"UPDATE {table} SET {column} = {value} WHERE {key} = {row.pk}")
                transaction.set_rollback(True)
        except DatabaseError:
            return True
        return False

    def test_what_no_code_could_read_is_refused(self) -> None:
        run = run_of(self.user)
        entry, batch = self.entry(), self.batch(run)
        rows = [entry, entry.attempts.get(), self.check(entry), batch, run, self.export()]
        rows += [*self.sealed_log(1), self.pruning()]
        let_in = []
        with undone():
            settle()
            triggers.remove()
            for row in rows:
                for field in row._meta.concrete_fields:
                    let_in += [
                        f"{row._meta.model_name}.{field.column} = {value[:40]}"
                        for value in unreadable_values(field)
                        if not self.refused(row, field.column, value)
                    ]
        # Both are JSON of a kind that some column takes; and what only Python finds is one's own.
        empty = [each for each in let_in if not each.endswith(("'{}'", "'[]'"))]
        alright = (
            () if on_postgresql() else ("[[", "1e400", "9999", "ud800", "= 17", "= -1e", 'a": -')
        )
        self.assertEqual([each for each in empty if not any(x in each for x in alright)], [])

    def test_what_the_flow_writes_is_taken_to_the_microsecond(self) -> None:
        for microsecond in (0, 1, 499_999, 500_000, 999_499, 999_500, 999_999):
            for second in (0, 59):
                now = datetime(2026, 2, 28, 23, 59, second, microsecond, tzinfo=UTC)
                entry = self.entry(created_at=now, sent_at=now, finished_at=now)
                entry.refresh_from_db()
                self.assertEqual(entry.created_at, now)

    def test_codes_of_a_later_version_are_taken(self) -> None:
        self.entry(outcome="undone", cause="removed_by_2fa", unverified_cause="x")


class ShownTests(LogMixin, PageTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = self.admin
        self.good = [self.entry(reason=f"SUP-{n}") for n in range(3)]
        [self.bad] = self.good[1:2]
        with as_owner():
            self.spoil("created_at", "20000-01-01 00:00:00")

    def spoil(self, column: str, value: str) -> None:
        sql(f"UPDATE {ENTRY} SET {column} = '{value}' WHERE id = {self.bad.pk}")

    def text(self, path: str) -> str:
        answer = self.as_admin.get(path)
        self.assertEqual(answer.status_code, 200, path)
        return answer.getvalue().decode("utf-8-sig")

    def test_lists_name_it_and_go_on_with_the_others(self) -> None:
        told = f"Entry {self.bad.pk} cannot be read: created_at"
        for path in ("/audit/", "/requests/", "/", "/audit/records/contacts/501/"):
            page = self.text(path)
            self.assertIn(told, page, path)
            for each in (self.good[0], self.good[2]):
                self.assertIn(f'href="/requests/{each.pk}/"', page, path)
        self.assertIn("3 entries.", self.text("/audit/"))

    def test_its_own_page_says_so_and_no_other_person_sees_it(self) -> None:
        for part in ("", "records/", "support-bundle.txt"):
            page = self.text(f"{self.bad.get_absolute_url()}{part}")
            self.assertIn(f"Entry {self.bad.pk} cannot be read: created_at", page)
        self.assertIn("verify_audit_log", page)
        answer = self.client.get(self.bad.get_absolute_url())
        self.assertEqual(answer.status_code, 404)

    def test_figures_count_the_others_and_say_so(self) -> None:
        page = self.text("/audit/figures/")
        self.assertIn("1 entry cannot be read, and is not counted here.", page)
        self.assertIn("Covers all 2 entries.", page)

    def test_a_page_after_another_goes_on_behind_it(self) -> None:
        with mock.patch("associations.audit.pagination.PAGE_SIZE", 1):
            page = self.text("/audit/")
            seen = [self.told_on(page)]
            while older := re.search(r'href="(\?before=[0-9]+)"', page):
                page = self.text(f"/audit/{older[1]}")
                seen.append(self.told_on(page))
            self.assertEqual(sorted(seen), sorted(each.pk for each in self.good))
            newer = self.text(f"/audit/?after={seen[1]}")
            self.assertEqual(self.told_on(newer), seen[0])

    def told_on(self, page: str) -> int:
        [link] = re.findall(r'row-link" href="/requests/([0-9]+)/"', page)
        return int(link)

    def test_exports_have_a_line_for_it(self) -> None:
        lines = [json.loads(line) for line in self.text("/audit/export.jsonl").splitlines()]
        [line] = [each for each in lines if each["kind"] == "unreadable"]
        self.assertEqual(
            (line["id"], line["of"], line["why"]), (self.bad.pk, "entry", "created_at")
        )
        self.assertEqual(lines[-1]["lines"], 3)
        rows = self.text("/audit/export.csv").splitlines()
        self.assertEqual(len(rows), 4)
        self.assertIn("20000-01-01 00:00:00", "".join(rows))

    def test_an_attempt_a_check_or_a_batch_leaves_its_entry_readable(self) -> None:
        entry = self.good[0]
        attempt, check = entry.attempts.get(), self.check(entry)
        with as_owner():
            for row, column in ((attempt, "started_at"), (check, "checked_at")):
                table = row._meta.db_table
                sql(f"UPDATE {table} SET {column} = '20000-01-01' WHERE id = {row.pk}")
        page = self.text(entry.get_absolute_url())
        self.assertIn(f"Attempt {attempt.pk} cannot be read: started_at", page)
        self.assertIn(f"Check {check.pk} cannot be read: checked_at", page)
        self.assertIn("SUP-0", page)
        bundle = self.text(f"{entry.get_absolute_url()}support-bundle.txt")
        self.assertIn(f"AssociationAttempt {attempt.pk} cannot be read: started_at", bundle)

    def test_one_that_was_abandoned_keeps_no_other_open(self) -> None:
        long_ago = timezone.now() - timedelta(hours=1)
        left = [self.open_entry(sent_at=long_ago) for _ in range(3)]
        self.bad = left[0]
        with as_owner():
            self.spoil("created_at", "20000-01-01 00:00:00")
        with self.assertLogs("associations.audit.recorder", "ERROR") as logged:
            recorder.close_abandoned()
        self.assertEqual([record.entry for record in logged.records], [left[0].pk])
        outcomes = AssociationRequest.objects.filter(pk__in=[each.pk for each in left])
        found = [*outcomes.order_by("pk").values_list("outcome", flat=True)]
        self.assertEqual(found, ["sending", "unreachable", "unreachable"])

    def test_a_run_that_breaks_its_constraint_can_be_looked_at(self) -> None:
        run = run_of(self.admin)
        with as_owner():
            sql(f"UPDATE {BulkRun._meta.db_table} SET way = 'Two Ways' WHERE id = {run.pk}")
        self.text(run.get_absolute_url())


class AnswerTests(PageTestCase):
    def test_an_answer_that_no_column_takes_is_logged_as_what_it_is(self) -> None:
        deep = "[" * 3_000 + "]" * 3_000
        for body in (f'{{"status": "COMPLETE", "results": {deep}}}', '{"numErrors": 1e400}', deep):
            with self.subTest(body[:40]):
                self.sandbox.fault(method="PUT", status=200, body=body)
                self.client.post("/?submit", LINK_TYPED, follow=True)
                entry = AssociationRequest.objects.latest("id")
                self.assertNotEqual(entry.outcome, "sending")
                self.assertEqual(entry.body, body)
