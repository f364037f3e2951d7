"""A few files of the campaign, and what tells that it would notice."""

from typing import Any
from unittest import mock

from associations.bulk import resolving
from associations.models import BulkKey
from tests.faults.sheets.campaign import Campaign, portal
from tests.support import LogTransactionTestCase

_TAKE = resolving._take


def first_of_all(key: BulkKey, answer: Any) -> None:
    """What a product would do that guesses."""
    _TAKE(key, answer._replace(records=answer.records[:1], is_exact=True))


class CampaignTests(LogTransactionTestCase):
    def taken(self, files: int) -> Campaign:
        with portal(seed=4) as truth:
            campaign = Campaign(truth, seed=4)
            campaign.take(files)
        return campaign

    def test_nothing_is_guessed_wrong_lost_or_doubled(self) -> None:
        campaign = self.taken(20)
        self.assertEqual((campaign.faults, campaign.is_well), ({}, True), campaign.examples)
        self.assertEqual(campaign.files.total(), 20)
        self.assertGreater(campaign.rows["a pair"], 50)
        self.assertGreater(campaign.rows["no pair"], 20)
        self.assertGreater(campaign.sent, 20)

    def test_it_would_notice_a_guess(self) -> None:
        with mock.patch.object(resolving, "_take", first_of_all):
            campaign = self.taken(20)
        self.assertGreater(campaign.faults["guessed"], 0)
        self.assertFalse(campaign.is_well)
