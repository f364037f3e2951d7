"""Whoever owns the tables changes what a later look at an entry had found."""

from tests.associations.audit.integrity.base import CHECK, ENTRY, as_owner, sql, unchecked, undone
from tests.associations.audit.integrity.tampering import TamperTestCase


class CheckTests(TamperTestCase):
    """Seal 2 holds two checks: one of an entry of seal 1, and one of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.one, self.other = (check.pk for check in self.checks)

    def test_one_that_was_changed(self) -> None:
        with as_owner():
            sql(f"UPDATE {CHECK} SET is_linked = TRUE WHERE id = {self.other}")
        self.assert_found("change a check", f"Check {self.other} was altered: .* seal 2 of 2025")

    def test_one_that_was_called_undecided(self) -> None:
        """No is not nothing: the canonical form leaves out only what is empty."""
        with as_owner():
            sql(f"UPDATE {CHECK} SET is_linked = NULL WHERE id = {self.other}")
        self.assert_found("empty what a check found", f"Check {self.other} was altered")

    def test_one_that_was_moved_to_another_entry(self) -> None:
        with as_owner():
            sql(f"UPDATE {CHECK} SET entry_id = {self.third[0].pk} WHERE id = {self.one}")
        self.assert_found("move a check to another entry", f"Check {self.one} was altered")

    def test_one_that_was_removed(self) -> None:
        with as_owner():
            sql(f"DELETE FROM {CHECK} WHERE id = {self.one}")
        self.assert_found("delete a check", f"Check {self.one} was removed: seal 2 holds it")

    def test_all_of_them_removed(self) -> None:
        with as_owner():
            sql(f"DELETE FROM {CHECK}")
        self.assert_found("delete every check", f"Check {self.one} was removed")

    def test_one_under_a_number_that_was_given_up(self) -> None:
        self.check(self.third[0], id=self.check_gap)
        finding = f"Check {self.check_gap} was inserted: seal 4 covers its number"
        self.assert_found("insert a check, under a number given up", finding)

    def test_one_under_a_number_below_all_others(self) -> None:
        for number in (0, -1):
            with self.subTest(number), undone(), unchecked():
                self.check(self.third[0], id=number)
                finding = f"Check {number} was inserted: numbers begin at 1"
                self.assert_found(f"insert a check under the number {number}", finding)

    def test_two_that_changed_their_numbers(self) -> None:
        with as_owner():
            for old, new in ((self.one, -7), (self.other, self.one), (-7, self.other)):
                sql(f"UPDATE {CHECK} SET id = {new} WHERE id = {old}")
        finding = f"Check {self.one} was reordered: seal 2 holds .* what now is number {self.other}"
        self.assert_found("swap two checks' ids", finding)

    def test_two_that_changed_what_they_found(self) -> None:
        with as_owner():
            sql(f"UPDATE {CHECK} SET is_linked = NOT is_linked")
        self.assert_found("swap what two checks found", f"Check {self.one} was altered")


class SeenTests(TamperTestCase):
    """What was seen around a request is a part of its entry."""

    def setUp(self) -> None:
        super().setUp()
        self.seen = self.entry(was_linked=False, verified=False, unverified_cause="")
        self.seal_all()

    def test_each_column_that_was_changed_or_emptied(self) -> None:
        pk = self.seen.pk
        for change in (
            *("was_linked = TRUE", "was_linked = NULL", "verified = TRUE", "verified = NULL"),
            *("verified_at = created_at", "unverified_cause = 'timed_out'"),
        ):
            with self.subTest(change), undone():
                with as_owner():
                    sql(f"UPDATE {ENTRY} SET {change} WHERE id = {pk}")
                self.assert_found(f"set {change}", f"Entry {pk} was altered: .* seal 6 of 2025")
