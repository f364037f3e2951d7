"""A few tasks for the box that finds records, and what tells that the campaign would notice."""

from itertools import count
from typing import Any

from django.test import SimpleTestCase

from associations.finding import finder
from associations.finding.finder import Found, Hit, Why
from associations.hubspot.object_types import resolve
from associations.hubspot.record_references import RecordIdError, read_reference
from associations.hubspot.schemas import Record
from tests.faults.tickets.campaign import CHOSEN, GIVEN_UP, LOST, Campaign
from tests.faults.tickets.person import choose
from tests.faults.tickets.sayings import Said
from tests.faults.tickets.truth import CONTACT, Key, Known, Truth
from tests.faults.tickets.world import world
from tests.support import LogTransactionTestCase

ADA = {"firstname": "Ada", "lastname": "Byron", "email": "ada@example.com", "city": "London"}
TWIN = ADA | {"email": "ada.byron@example.org", "city": "Turin"}


def known(number: int, properties: dict[str, str], **state: Any) -> Known:
    return Known(Key(CONTACT, str(number)), properties, **state)


def hit(number: int, name: str, detail: str = "") -> Hit:
    return Hit(resolve("contacts"), Record(str(number), name, detail))


def only_addresses(*, text: str, **_: Any) -> Found:
    """A finder that understands what the form always understood, and looks nothing up."""
    try:
        reference = read_reference(text)
    except RecordIdError as error:
        return Found(why=error.reason)
    if not reference.object_type:
        return Found(why=Why.CHOOSE)
    return Found(chosen=Hit(reference.object_type, Record(reference.object_id)))


class CampaignTests(LogTransactionTestCase):
    def setUp(self) -> None:
        self.world = self.enterContext(world(lag=2))

    def taken(self, find: Any, tasks: int = 40) -> Campaign:
        campaign = Campaign(self.world, seed=3, find=find)
        campaign.take(tasks)
        return campaign

    def test_nobody_is_linked_who_is_not_meant(self) -> None:
        campaign = self.taken(finder.find, 80)
        self.assertTrue(campaign.is_well, campaign.examples)
        self.assertGreater(campaign.sent["linked"], 40)
        self.assertGreater(campaign.count(CHOSEN), 0)

    def test_a_finder_that_guesses_is_noticed(self) -> None:
        def guess(**asked: Any) -> Found:
            found = finder.find(**asked)
            return Found(chosen=found.hits[0]) if found.hits else found

        campaign = self.taken(guess)
        self.assertGreater(campaign.not_unique, 0)
        self.assertFalse(campaign.is_well)

    def test_one_that_takes_another_record_is_noticed_by_what_hubspot_hears(self) -> None:
        def confuse(**asked: Any) -> Found:
            found = only_addresses(**asked)
            is_first = found.chosen and asked["side"] == "from"
            return Found(chosen=hit(507, "Greta Lindqvist")) if is_first else found

        self.assertGreater(self.taken(confuse).wrong_pairs, 0)

    def test_one_that_finds_nothing_is_noticed(self) -> None:
        campaign = self.taken(lambda **_: Found(why=Why.NOT_YET), 5)
        self.assertGreater(campaign.count(LOST), 0)
        self.assertFalse(campaign.is_well)

    def test_one_that_searches_again_and_again_is_noticed(self) -> None:
        def search(**asked: Any) -> Found:
            for _ in range(3):
                finder.find(**asked | {"text": f"{asked['text']} {next(numbers)}"})
            return only_addresses(**asked)

        numbers = count()
        campaign = self.taken(search, 5)
        self.assertGreater(campaign.most_searches, 2)
        self.assertFalse(campaign.is_well)

    def test_who_knows_only_addresses_gives_up_often(self) -> None:
        campaign = self.taken(only_addresses)
        self.assertEqual((campaign.wrong_pairs, campaign.count(CHOSEN)), (0, 0))
        self.assertGreater(campaign.count(GIVEN_UP), 20)


class PersonTests(SimpleTestCase):
    def test_twins_are_told_apart_by_the_second_line(self) -> None:
        hits = [hit(1, "Ada Byron", "ada.byron@example.org · Turin"), hit(2, "Ada Byron", "London")]
        self.assertEqual(choose(hits, known(2, ADA)), hits[1])

    def test_nothing_is_taken_that_could_be_another(self) -> None:
        alike = [hit(1, "Ada Byron", "London"), hit(2, "Ada Byron", "London")]
        for hits in (alike, [hit(1, "Ada Byron")], [hit(1, "Ada Lovelace", "London")], []):
            with self.subTest(hits=hits):
                self.assertIsNone(choose(hits, known(1, ADA)))

    def test_of_a_day_nobody_knows_anything(self) -> None:
        hits = [hit(1, "Byron Ada", "London · 2026-06-15")]
        self.assertEqual(choose(hits, known(1, ADA)), hits[0])


class TruthTests(SimpleTestCase):
    def setUp(self) -> None:
        second = {"hs_additional_emails": "a.b@example.com;ada@old.example"}
        self.ada, self.twin = known(1, ADA | second), known(2, TWIN)
        self.truth = Truth([self.ada, self.twin])

    def test_by_keys_and_names(self) -> None:
        having = self.truth.having
        self.assertEqual(having("email", " ADA@old.example"), {self.ada.key})
        self.assertEqual(having("name", "ada byron"), {self.ada.key, self.twin.key})
        self.assertEqual(having("email", "nobody@example.com"), set())

    def test_what_is_gone_is_found_by_nothing(self) -> None:
        self.truth.archive(self.ada)
        self.assertEqual(self.truth.having("name", "Ada Byron"), {self.twin.key})
        self.assertIsNone(self.truth.now(self.ada.key))

    def test_who_is_merged_leaves_the_addresses(self) -> None:
        self.truth.merge(self.twin, self.ada)
        left = self.truth.now(self.twin.key)
        self.assertEqual(left and left.key, self.ada.key)
        self.assertEqual(self.truth.having("email", TWIN["email"]), {self.ada.key})

    def test_a_key_of_two_is_not_enough(self) -> None:
        both = frozenset([self.ada.key, self.twin.key])
        self.assertFalse(Said("domain", "x", self.ada, both).may_be(self.ada.key))
        self.assertFalse(Said("name", "x", self.ada).may_be(self.ada.key))
        self.assertTrue(Said("e-mail", "x", self.ada, both - {self.twin.key}).may_be(self.ada.key))
