"""What the seals alone do not show: what was cut off at the end, and what was not sealed yet."""

from associations.audit.integrity import signing
from associations.audit.integrity.sealing import waiting_for_a_seal
from associations.models import AssociationRequest
from tests.associations.audit.integrity.base import (
    ATTEMPT,
    ENTRY,
    SEAL,
    as_owner,
    give_up_to,
    seal,
    settle,
    sql,
)
from tests.associations.audit.integrity.tampering import SealTestCase


class EndTests(SealTestCase):
    """What was cut off at the end was proven once; only a head noted elsewhere tells of it."""

    def setUp(self) -> None:
        super().setUp()
        self.head = "--head", self.seals[4].head

    def test_the_newest_ones_cut_off(self) -> None:
        with as_owner():
            sql(f"DELETE FROM {SEAL} WHERE number >= 4")
        said = self.assert_not_found("cut off the newest seals", 3)
        self.assertIn("Closed since, and in no seal yet: 4", said)
        finding = f"No seal has the head {self.head[1]}"
        self.assert_found("cut off the newest seals, --head", finding, *self.head)

    def test_the_newest_ones_cut_off_with_all_they_held(self) -> None:
        with as_owner():
            sql(f"DELETE FROM {SEAL} WHERE number >= 4")
            self.remove_contents_of(*self.seals[3:])
        said = self.assert_not_found("cut off the newest seals, with their entries", 3)
        self.assertIn("Without a head noted elsewhere (--head), nothing shows whether", said)
        finding = f"No seal has the head {self.head[1]}"
        self.assert_found(
            "cut off the newest seals, with their entries, --head", finding, *self.head
        )

    def test_the_newest_ones_cut_off_altered_and_sealed_anew(self) -> None:
        with as_owner():
            sql(f"DELETE FROM {SEAL} WHERE number >= 4")
            sql(f"UPDATE {ENTRY} SET reason = 'another' WHERE id > {self.of_batch[1].pk}")
        seal()
        self.assert_not_found("cut off, alter, have it sealed anew", 4)
        finding = "No seal has the head"
        self.assert_found("cut off, alter, have it sealed anew, --head", finding, *self.head)

    def test_one_and_all_after_it_rewritten_with_the_own_key(self) -> None:
        self.rewrite(3, signing.sign)
        self.assert_not_found("rewrite seals 3 to 5, with the key itself", 5)
        finding = "No seal has the head"
        self.assert_found("rewrite seals 3 to 5, with the key itself, --head", finding, *self.head)

    def test_all_of_them(self) -> None:
        with as_owner():
            sql(f"DELETE FROM {SEAL}")
        self.assert_found("delete every seal, --head", "No seal has the head", *self.head)


class NotSealedYetTests(SealTestCase):
    """What no seal holds yet is guarded by triggers and roles alone."""

    def test_an_entry_that_no_seal_holds(self) -> None:
        entry = self.entry()
        settle()
        with as_owner():
            sql(f"UPDATE {ENTRY} SET reason = 'another' WHERE id = {entry.pk}")
        said = self.assert_not_found("change an entry before it is sealed", 5)
        self.assertIn("in no seal yet: 1", said)

    def test_an_open_entry(self) -> None:
        with as_owner():
            sql(f"DELETE FROM {ATTEMPT} WHERE request_id = {self.still_open.pk}")
            sql(f"DELETE FROM {ENTRY} WHERE id = {self.still_open.pk}")
        self.assert_not_found("delete an open entry", 5)

    def test_an_entry_added_at_the_end_as_if_it_were_new(self) -> None:
        with as_owner():
            number = AssociationRequest.objects.last().pk + 9
            give_up_to(number)
            self.add_entry(number)
        self.assert_not_found("add an entry at the end", 5)
        self.assertEqual(waiting_for_a_seal(9), 1)
