"""Many people at once, on the real server."""

import sqlite3
import tempfile
import unittest
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import requests
from django.test import tag

from tests.demo import Demo, Person, ready

PEOPLE, SUBMITS, DELAY = 32, 160, 0.15  # fewer calls than HubSpot takes in ten seconds


@tag("own_database")
class CrowdTests(unittest.TestCase):
    def test_every_submit_has_one_entry_and_one_put(self) -> None:
        folder = ready(Path(self.enterContext(tempfile.TemporaryDirectory())) / "demo")
        options = {"SUBMITS_PER_PERSON_PER_MINUTE": "0", "HUBSPOT_VERIFY": "False"}
        demo = self.enterContext(Demo(folder, **options))
        people = [Person(demo, "support") for _ in range(PEOPLE)]
        slow = {"delay": DELAY, "times": None}
        requests.post(f"{demo.hubspot}/_sandbox/faults", json=slow, timeout=5)

        def submits(number: int) -> list[str]:
            """What each of a person's submits ended at: person n makes every 32nd of them."""
            return [
                people[number]
                .post(
                    "/",
                    from_object_type="Contact",
                    from_object_id=str(501 + submit % 20),
                    to_object_type="Company",
                    to_object_id=str(901 + submit // 20),
                    reason=f"submit {submit}",
                )
                .url
                for submit in range(number, SUBMITS, PEOPLE)
            ]

        with ThreadPoolExecutor(PEOPLE) as pool:
            addresses = [url for urls in pool.map(submits, range(PEOPLE)) for url in urls]

        with closing(sqlite3.connect(folder / "hubadmin.sqlite3")) as database:
            rows = database.execute(
                "SELECT id, reason, outcome FROM associations_associationrequest"
            ).fetchall()
        self.assertEqual(Counter(outcome for _, _, outcome in rows), {"linked": SUBMITS})
        self.assertEqual({reason for _, reason, _ in rows}, {f"submit {n}" for n in range(SUBMITS)})
        self.assertEqual(
            sorted(addresses), sorted(f"{demo.address}/?linked={pk}" for pk, _, _ in rows)
        )
        received = requests.get(f"{demo.hubspot}/_sandbox/requests", timeout=5).json()
        puts = [r["path"] for r in received if r["method"] == "PUT" and r["status"] == 200]
        answered = Counter(puts)
        self.assertEqual((len(answered), set(answered.values())), (SUBMITS, {1}))
