"""A few walks through the site, and what tells that the walks would notice."""

import random
from unittest import mock

from django.test import tag

from associations.bulk import resolving
from associations.hubspot.outcomes import Cause
from associations.hubspot.schemas import Record
from associations.texts import outcomes
from tests.faults.walking.campaign import Campaign
from tests.faults.walking.clock import Clock
from tests.faults.walking.found_truth import what_was_meant_is_taken
from tests.faults.walking.linking_steps import fields_of
from tests.faults.walking.oracle import Oracle
from tests.faults.walking.run_steps import worker_finishes
from tests.faults.walking.trouble import TROUBLES
from tests.faults.walking.world import site, world
from tests.support import LogTransactionTestCase, SandboxMixin

PAIR = ("contacts", "501"), ("companies", "902")


@tag("long")
class WalkTests(SandboxMixin, LogTransactionTestCase):
    def test_no_page_says_what_is_not_so(self) -> None:
        campaign = Campaign(seed=7)
        campaign.take(25)
        found = [case.report() for case in campaign.cases.values()]
        self.assertEqual(found, [], "\n".join(found))
        self.assertGreater(campaign.checked.total(), 1000)

    def found_after_a_refusal(self) -> list[str]:
        """What the walks find on the page of a request that HubSpot refuses."""
        with (
            site(self.sandbox, Clock()) as portal,
            world(portal, random.Random(1)) as made,
        ):
            oracle = Oracle(made)
            made.judge = oracle.judge
            made.begin(next(each for each in TROUBLES if each.name == "400"))
            made.portal.actor = "form"
            made.post("/", **fields_of(PAIR))
            return [finding.claim for finding in oracle.found]

    def test_a_link_that_is_none_is_noticed(self) -> None:
        self.assertEqual(self.found_after_a_refusal(), [])
        confirmed = outcomes._BY_CAUSE[Cause.CONFIRMED]
        with mock.patch.dict(outcomes._BY_CAUSE, {Cause.REFUSED: confirmed}):
            self.assertIn("{from_} is now linked to {to}.", self.found_after_a_refusal())

    def test_a_sentence_that_nobody_knows_is_noticed(self) -> None:
        text = "Contact and company are being linked to each other."
        with mock.patch.dict(outcomes._BY_CAUSE, {Cause.REFUSED: (text, "")}):
            self.assertEqual(self.found_after_a_refusal(), [text])

    def found_of_rows(self, *rows: str) -> list[str]:
        """What the walks find on the page of a run that was read."""
        with (
            site(self.sandbox, Clock()) as portal,
            world(portal, random.Random(1)) as made,
        ):
            oracle = Oracle(made)
            made.judge, made.has_worker = oracle.judge, True
            made.sees_worker()
            made.post("/bulk/", rows="\n".join(["from type,from id,to type,to id", *rows]))
            worker_finishes(made, random.Random(1))
            made.get("/bulk/1/")
            return [finding.claim for finding in oracle.found]

    def test_a_record_that_is_there_and_not_found_is_noticed(self) -> None:
        row = "Contact,ada@example.com,Company,901"
        self.assertEqual(self.found_of_rows(row), [])
        with mock.patch.object(resolving, "find_by_key", return_value={}):
            found = self.found_of_rows(row)
        self.assertIn("{n} row[s|]: HubSpot has no contact with this e-mail address.", found)

    def test_a_record_that_nobody_named_is_noticed(self) -> None:
        rows = "Contact,ada@example.com,Company,901", "Contact,bruno@example.com,Company,901"
        self.assertEqual(self.found_of_rows(*rows), [])
        another = {"ada@example.com": [Record("502", "Bruno Keller")]}
        with mock.patch.object(resolving, "find_by_key", return_value=another):
            found = self.found_of_rows(rows[0])
        self.assertIn(what_was_meant_is_taken.__doc__, found)
