"""A few people are erased from a small log, on the database that the tests have."""

import os
import subprocess
import sys
import unittest

from django.conf import settings
from django.test import tag


@tag("long")
class ErasureTests(unittest.TestCase):
    def test_nothing_of_them_is_left_and_all_of_the_others_is_proven(self) -> None:
        options = ["--entries", "300", "--people", "10", "--seed", "7"]
        database = os.environ.get("TEST_DATABASE_URL", "sqlite")
        erasure = subprocess.run(
            [sys.executable, "-m", "tests.faults.erasure", *options, "--database", database],
            cwd=settings.BASE_DIR,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
        )
        self.assertEqual(erasure.returncode, 0, erasure.stdout)
        self.assertIn("values of them found in the database: 0", erasure.stdout)
