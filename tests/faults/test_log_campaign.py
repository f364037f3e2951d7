"""A few manipulations and untouched logs of the campaign, on the database that the tests have."""

import os
import subprocess
import sys
import unittest

from django.conf import settings
from django.test import tag


@tag("long")
class LogCampaignTests(unittest.TestCase):
    def test_nothing_goes_unseen_and_nothing_is_a_false_alarm(self) -> None:
        options = ["--runs", "60", "--untouched", "12", "--seed", "7"]
        database = os.environ.get("TEST_DATABASE_URL", "sqlite")
        campaign = subprocess.run(
            [sys.executable, "-m", "tests.faults.log_campaign", *options, "--database", database],
            cwd=settings.BASE_DIR,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
        )
        self.assertEqual(campaign.returncode, 0, campaign.stdout)
        self.assertIn("manipulations 60: undetected 0", campaign.stdout)
