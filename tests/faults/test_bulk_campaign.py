"""A few runs of the campaign, on the database that the tests have."""

import os
import subprocess
import sys
import unittest

from django.conf import settings


@unittest.skipUnless(sys.platform == "linux", "finds the processes through Linux's /proc")
class CampaignTests(unittest.TestCase):
    def test_nothing_is_lost_doubled_or_wrong(self) -> None:
        options = ["--runs", "2", "--lanes", "1", "--seed", "4"]
        database = os.environ.get("TEST_DATABASE_URL", "sqlite")
        campaign = subprocess.run(
            [sys.executable, "-m", "tests.faults.bulk_campaign", *options, "--database", database],
            cwd=settings.BASE_DIR,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=150,
        )
        self.assertEqual(campaign.returncode, 0, campaign.stdout)
        self.assertIn("runs 2 of 2", campaign.stdout)
