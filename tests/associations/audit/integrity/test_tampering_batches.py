"""Whoever owns the tables changes what HubSpot answered to a batch, or of which run an entry is."""

import json

from tests.associations.audit.integrity.base import (
    BATCH,
    ENTRY,
    as_owner,
    run,
    sql,
    unchecked,
    undone,
)
from tests.associations.audit.integrity.tampering import TamperTestCase


class BatchTests(TamperTestCase):
    """Seal 3 holds three batches, and two entries that name the first."""

    def setUp(self) -> None:
        super().setUp()
        self.one, self.other, self.last = (batch.pk for batch in self.batches)

    def test_a_body_that_was_changed(self) -> None:
        with as_owner():
            sql(f"UPDATE {BATCH} SET body = '{{}}' WHERE id = {self.one}")
        self.assert_found("change a batch's body", f"Batch {self.one} was altered: .* seal 3 of")

    def test_one_that_was_removed(self) -> None:
        with as_owner():
            sql(f"DELETE FROM {BATCH} WHERE id = {self.other}")
        self.assert_found("delete a batch", f"Batch {self.other} was removed: seal 3 holds it")

    def test_all_of_them_removed(self) -> None:
        with as_owner():
            sql(f"UPDATE {ENTRY} SET batch_id = NULL")
            sql(f"DELETE FROM {BATCH}")
        entry = self.of_batch[0].pk
        self.assert_found("delete every batch", f"Entry {entry} was altered")

    def test_one_under_a_number_that_was_given_up(self) -> None:
        self.batch(self.batches[0].run, id=self.batch_gap)
        finding = f"Batch {self.batch_gap} was inserted: seal 4 covers its number"
        self.assert_found("insert a batch, under a number given up", finding)

    def test_one_under_a_number_below_all_others(self) -> None:
        for number in (0, -1):
            with self.subTest(number), undone(), unchecked():
                self.batch(self.batches[0].run, id=number)
                finding = f"Batch {number} was inserted: numbers begin at 1"
                self.assert_found(f"insert a batch under the number {number}", finding)

    def test_two_that_changed_their_numbers(self) -> None:
        with as_owner():
            for old, new in ((self.other, -7), (self.last, self.other), (-7, self.last)):
                sql(f"UPDATE {BATCH} SET id = {new} WHERE id = {old}")
        finding = f"Batch {self.other} was reordered: seal 3 .* what now is number {self.last}"
        self.assert_found("swap two batches' ids", finding)

    def test_two_that_changed_their_answers(self) -> None:
        with as_owner():
            for one, other in ((self.one, self.batches[1]), (self.other, self.batches[0])):
                sql(f"UPDATE {BATCH} SET body = %s WHERE id = {one}", other.body)
        self.assert_found("swap two batches' bodies", f"Batch {self.one} was altered")

    def test_an_entry_that_was_given_to_another_batch_or_run_or_row(self) -> None:
        other_run, entry = self.bulk_run().pk, self.of_batch[0].pk
        for change in (
            *(f"batch_id = {self.other}", "batch_id = NULL"),
            *(f"run_id = {other_run}", "run_id = NULL, row_number = NULL", "row_number = 99"),
        ):
            with self.subTest(change), undone():
                with as_owner():
                    sql(f"UPDATE {ENTRY} SET {change} WHERE id = {entry}")
                self.assert_found(f"set {change}", f"Entry {entry} was altered")

    def test_one_that_is_added_later_is_in_no_seal_until_the_next(self) -> None:
        batch = self.batch(self.batches[0].run)
        self.assert_not_found("insert a batch, as the next", 5)
        self.assertEqual(run("seal_audit_log")[0], 0)
        with as_owner():
            sql(f"UPDATE {BATCH} SET headers = %s WHERE id = {batch.pk}", json.dumps({"a": "b"}))
        self.assert_found("change its headers", f"Batch {batch.pk} was altered: .* seal 6 of")
