"""A few portals for the campaign of refusals, and what tells that it would notice."""

from unittest import mock

from associations.linking import foresight, preview
from tests.faults.foreseen import GOAL
from tests.faults.refusals.campaign import Campaign
from tests.support import LogTransactionTestCase


class ForeseenTests(LogTransactionTestCase):
    def campaign(self) -> Campaign:
        campaign = Campaign(seed=5)
        campaign.take(cases=60)
        return campaign

    def test_refusals_are_foreseen(self) -> None:
        campaign = self.campaign()
        self.assertTrue(campaign.is_well(GOAL), (campaign.percent, campaign.alarms))
        self.assertGreater(sum(n for (_, why), n in campaign.all.items() if why == "limit"), 5)

    def test_a_site_that_knows_of_no_limit_is_noticed(self) -> None:
        with mock.patch.object(foresight, "cached_lookup", return_value={}):
            self.assertFalse(self.campaign().is_well(GOAL))

    def test_a_site_that_makes_limits_up_is_noticed(self) -> None:
        made_up = dict.fromkeys((279, 280, 341, 342, 3, 4), 1)
        with mock.patch.object(preview, "limits_of", side_effect=lambda *_types: made_up):
            self.assertTrue(self.campaign().alarms)
