"""A few runs of the campaign, on the database that the tests have."""

import os
import subprocess
import sys
import unittest

from django.conf import settings
from django.test import tag


@unittest.skipUnless(sys.platform == "linux", "finds the processes through Linux's /proc")
@tag("long")
class CampaignTests(unittest.TestCase):
    def test_nothing_is_lost_doubled_or_wrong(self) -> None:
        self.assert_well(2)

    def test_nor_is_what_is_undone(self) -> None:
        self.assert_well(1, "--undo")

    def assert_well(self, runs: int, *more: str) -> None:
        options = ["--runs", str(runs), "--lanes", "1", "--seed", "4", *more]
        database = os.environ.get("TEST_DATABASE_URL", "sqlite")
        campaign = subprocess.run(
            [sys.executable, "-m", "tests.faults.bulk_campaign", *options, "--database", database],
            cwd=settings.BASE_DIR,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
        )
        self.assertEqual(campaign.returncode, 0, campaign.stdout)
        self.assertIn(f"runs {runs} of {runs}", campaign.stdout)
