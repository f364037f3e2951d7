"""A web machine and a worker's are killed; the others go on, and nothing is lost or doubled."""

import os
import unittest

from django.test import tag

from tests.faults.failover.campaign import FAULTS, tried
from tests.faults.failover.site import LACKING
from tests.support import needed


@tag("long", "own_database")
@needed(not LACKING, LACKING)
@needed(os.geteuid() == 0, "root's account")
class MachineTests(unittest.TestCase):
    """What the tool of the same name does at length: `python -m tests.faults.machines`."""

    def test_the_others_go_on(self) -> None:
        told: list[str] = []
        faults = [each for each in FAULTS if each.is_quick]
        # Calls are short here, so that the lease may be, too.
        short = {"BULK_LEASE_SECONDS": "5"}
        wrong = tried(
            webs=2, workers=2, people=6, faults=faults, say=told.append, settles=False, **short
        )
        self.assertEqual(wrong, [], "\n".join(told))
