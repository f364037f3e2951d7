"""Whoever owns the tables changes what was sealed: the first thing is named."""

from associations.models import AssociationAttempt
from tests.associations.audit.integrity.base import (
    ATTEMPT,
    ENTRY,
    EXPORT,
    as_owner,
    sql,
    unchecked,
    undone,
)
from tests.associations.audit.integrity.tampering import TamperTestCase, columns_but


class EntryTests(TamperTestCase):
    def test_a_text_that_was_changed(self) -> None:
        changed = self.second[0].pk
        with as_owner():
            sql(f"UPDATE {ENTRY} SET error_text = 'accepted' WHERE id = {changed}")
        self.assert_found("change an error text", f"Entry {changed} was altered: .* seal 2 of 2025")

    def test_an_attempt_that_was_changed(self) -> None:
        changed = self.first[1].pk
        with as_owner():
            sql(f"UPDATE {ATTEMPT} SET body = '' WHERE request_id = {changed} AND number = 2")
        self.assert_found("change an attempt's body", f"Entry {changed} was altered")

    def test_a_late_attempt_that_was_changed(self) -> None:
        with as_owner():
            sql(f"UPDATE {ATTEMPT} SET body = '' WHERE id = {self.late.pk}")
        self.assert_found("change a late attempt", f"Late attempt {self.late.pk} was altered")

    def test_an_attempt_that_was_called_late(self) -> None:
        attempt = self.first[0].attempts.get()
        with as_owner():
            AssociationAttempt.objects.filter(pk=attempt.pk).update(late=True)
        finding = f"Entry {self.first[0].pk} was altered"
        self.assert_found("call an attempt of an entry late", finding)

    def test_an_export_that_was_changed(self) -> None:
        with as_owner():
            sql(f"UPDATE {EXPORT} SET rows = 1")
        self.assert_found("change an export", f"Export {self.taken.pk} was altered")

    def test_a_closed_entry_that_was_reopened(self) -> None:
        reopened = self.third[1].pk
        with as_owner():
            sql(f"UPDATE {ENTRY} SET outcome = 'sending', finished_at = NULL WHERE id = {reopened}")
        self.assert_found("reopen a closed entry", f"Entry {reopened} was altered")

    def test_an_entry_that_was_removed(self) -> None:
        removed = self.first[1].pk
        with as_owner():
            sql(f"DELETE FROM {ATTEMPT} WHERE request_id = {removed}")
            sql(f"DELETE FROM {ENTRY} WHERE id = {removed}")
        self.assert_found("delete an entry", f"Entry {removed} was removed: seal 1 holds it")

    def test_an_attempt_that_was_removed(self) -> None:
        with as_owner():
            sql(f"DELETE FROM {ATTEMPT} WHERE id = {self.first[0].attempts.get().pk}")
        self.assert_found("delete an attempt", f"Entry {self.first[0].pk} was altered")

    def test_a_late_attempt_that_was_removed(self) -> None:
        with as_owner():
            sql(f"DELETE FROM {ATTEMPT} WHERE id = {self.late.pk}")
        self.assert_found("delete a late attempt", f"Late attempt {self.late.pk} was removed")

    def test_an_export_that_was_removed(self) -> None:
        with as_owner():
            sql(f"DELETE FROM {EXPORT}")
        self.assert_found("delete an export", f"Export {self.taken.pk} was removed")


class InsertTests(TamperTestCase):
    def test_an_entry_under_a_number_that_was_given_up(self) -> None:
        with as_owner():
            self.add_entry(self.gap)
        finding = f"Entry {self.gap} was inserted: seal 4 covers its number"
        self.assert_found("insert an entry, under a number given up", finding)

    def test_an_entry_in_the_place_of_another(self) -> None:
        replaced = self.third[1].pk
        with as_owner():
            sql(f"UPDATE {ENTRY} SET id = 1000000 WHERE id = {replaced}")
            self.add_entry(replaced)
            sql(f"DELETE FROM {ENTRY} WHERE id = 1000000")
        self.assert_found("put an entry in another's place", f"Entry {replaced} was altered")

    def test_an_entry_under_a_number_below_all_others(self) -> None:
        for number in (0, -1):
            with self.subTest(number), undone(), unchecked():
                self.add_entry(number)
                finding = f"Entry {number} was inserted"
                self.assert_found(f"insert an entry under the number {number}", finding)

    def test_an_attempt_of_a_sealed_entry(self) -> None:
        self.attempt(self.second[0], number=2)
        self.assert_found("add an attempt", f"Entry {self.second[0].pk} was altered")

    def test_a_late_attempt_under_a_number_that_was_given_up(self) -> None:
        self.late_attempt(self.third[0], id=self.attempt_gap)
        finding = f"Late attempt {self.attempt_gap} was inserted: seal 4 covers its number"
        self.assert_found("insert a late attempt, under a number given up", finding)


class ReorderTests(TamperTestCase):
    def swap_ids(self, one: int, other: int, *, attempts: bool) -> None:
        with as_owner():
            for old, new in ((one, -7), (other, one), (-7, other)):
                sql(f"UPDATE {ENTRY} SET id = {new} WHERE id = {old}")
                if attempts:
                    sql(f"UPDATE {ATTEMPT} SET request_id = {new} WHERE request_id = {old}")

    def test_two_entries_that_changed_their_numbers(self) -> None:
        one, other = (entry.pk for entry in self.second)
        finding = f"Entry {one} was reordered: seal 2 holds under this number .* number {other}"
        self.swap_ids(one, other, attempts=True)
        self.assert_found("swap two entries' ids, attempts with them", finding)

    def test_two_entries_that_left_their_attempts_where_they_were(self) -> None:
        one, other = (entry.pk for entry in self.second)
        self.swap_ids(one, other, attempts=False)
        finding = f"Entry {one} was reordered: .* number {other}"
        self.assert_found("swap two entries' ids, attempts not", finding)

    def test_two_entries_of_different_seals(self) -> None:
        one, other = self.first[0].pk, self.third[0].pk
        self.swap_ids(one, other, attempts=True)
        self.assert_found("swap two entries' ids, of two seals", f"Entry {one} was altered")

    def test_two_entries_that_changed_their_contents(self) -> None:
        one, other = (entry.pk for entry in self.second)
        names = columns_but("id", "submit_key")
        with as_owner():
            sql(f"CREATE TEMPORARY TABLE aside AS SELECT * FROM {ENTRY}")
            for to, of in ((one, other), (other, one)):
                sql(
                    f"UPDATE {ENTRY} SET ({names}) = (SELECT {names} FROM aside WHERE id = {of}) "
                    f"WHERE id = {to}"
                )
            sql("DROP TABLE aside")
        finding = f"Entry {one} was reordered: .* number {other}"
        self.assert_found("swap two entries' contents", finding)

    def test_two_entries_that_changed_their_attempts(self) -> None:
        one, other = (entry.pk for entry in self.second)
        with as_owner():
            sql(
                f"UPDATE {ATTEMPT} SET request_id = {one} + {other} - request_id, "
                f"number = number + 20 WHERE request_id IN ({one}, {other})"
            )
            sql(f"UPDATE {ATTEMPT} SET number = number - 20 WHERE number > 20")
        self.assert_found("swap two entries' attempts", f"Entry {one} was altered")
