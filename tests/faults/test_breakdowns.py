"""Three breakdowns of the campaign, each noticed in two places or more."""

import os
import subprocess
import sys
import unittest

from django.conf import settings
from django.test import tag

THREE = ("token_refused", "triggers_dropped", "receiver_dead")


@unittest.skipUnless(sys.platform == "linux", "kills groups of processes")
@tag("long", "own_database")
class BreakdownTests(unittest.TestCase):
    def test_each_is_noticed_within_a_minute(self) -> None:
        only = [text for name in THREE for text in ("--only", name)]
        campaign = subprocess.run(
            [sys.executable, "-m", "tests.faults.breakdowns", *only],
            cwd=settings.BASE_DIR,
            env={name: os.environ[name] for name in os.environ if name != "TEST_DATABASE_URL"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=400,
        )
        self.assertEqual(campaign.returncode, 0, campaign.stdout)
        self.assertIn("3 of 3 seen by 2 or more within 60 s", campaign.stdout)
        self.assertNotIn(" NO ", campaign.stdout)
