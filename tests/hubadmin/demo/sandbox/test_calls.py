"""What the sandbox tells of a campaign: its calls counted, its links in short, faults by chance."""

from unittest import mock

import requests

from hubadmin.demo.sandbox import Sandbox
from hubadmin.demo.sandbox.limits import CallTally
from tests.hubadmin.demo.sandbox.base import SandboxCase, pair_path

NO_SEARCHES = {"searches": 0, "most_searches_in_a_second": 0}
EMPTY = {"calls": 0, "refused": 0, "most_in_10_seconds": 0, **NO_SEARCHES, "by_status": {}}


class TallyTests(SandboxCase):
    def calls(self):
        return self.call("GET", "/_sandbox/calls", {}).json()

    def test_calls_for_hubspot_by_status_until_a_reset(self):
        self.assertEqual(self.calls(), EMPTY)
        self.sandbox.fault(status=429)
        self.sandbox.fault(reset="after")
        self.call()
        with self.assertRaises(requests.ConnectionError):
            self.call()
        for path in (pair_path("contacts", "1", "companies", "902"), pair_path(*"abcd")):
            self.call(path=path)
        self.call("GET", "/")
        self.call("GET", "/nowhere")
        self.call()
        told = {"calls": 5, "refused": 1, "most_in_10_seconds": 5, **NO_SEARCHES}
        self.assertEqual(self.calls(), {**told, "by_status": {"200": 1, "400": 2, "429": 1}})
        self.sandbox.reset()
        self.assertEqual(self.calls(), EMPTY)

    def test_those_refused_by_the_limit_count_too(self):
        with Sandbox(rate_limit=2) as self.sandbox:
            for _ in range(5):
                self.call()
            told = {"calls": 5, "refused": 3, "most_in_10_seconds": 5, **NO_SEARCHES}
            self.assertEqual(self.calls(), {**told, "by_status": {"200": 2, "429": 3}})

    def test_most_in_any_ten_seconds(self):
        tally = CallTally()
        with mock.patch("hubadmin.demo.sandbox.limits.monotonic") as clock:
            for now, most in (
                (100.0, 1),
                (104.0, 2),
                (109.9, 3),
                (110.0, 3),  # the first has left
                (113.9, 4),
                (150.0, 4),
            ):
                clock.return_value = now
                tally.arrived()
                self.assertEqual(tally.summary()["most_in_10_seconds"], most, now)
        self.assertEqual((tally.summary()["calls"], len(tally._latest)), (6, 1))

    def test_the_controls_leave_no_note(self):
        self.calls()
        self.call("GET", "/_sandbox/associations?from_type=contacts&to_type=deals", {})
        self.call("GET", "/_sandbox/other?x", {})
        (noted,) = self.sandbox.requests
        self.assertEqual(noted["path"], "/_sandbox/other?x")


class PairsTests(SandboxCase):
    def pairs(self, query):
        return self.call("GET", f"/_sandbox/associations?{query}", {})

    def test_default_links_of_two_types_in_order(self):
        for ends in (("1000", "901"), ("502", "902"), ("502", "1000")):
            self.sandbox.link("contacts", ends[0], "companies", ends[1])
        self.sandbox.link("contacts", "503", "companies", "902", "Primary")
        self.sandbox.link("contacts", "503", "deals", "701")
        told = self.pairs("from_type=0-1&to_type=company").json()
        links = [["502", "902"], ["502", "1000"], ["1000", "901"]]
        self.assertEqual(told, {"count": 3, "links": links})
        back = self.pairs("to_type=contacts&from_type=companies").json()["links"]
        self.assertEqual(back, [["901", "1000"], ["902", "502"], ["1000", "502"]])
        none = self.pairs("from_type=deals&to_type=tickets").json()
        self.assertEqual(none, {"count": 0, "links": []})

    def test_types_that_make_no_sense(self):
        for query, message in {
            "from_type=contacts": "no object type “”",
            "from_type=foo&to_type=contacts": "no object type “foo”",
            "from_type=products&to_type=contacts": "no default association type",
        }.items():
            self.assert_error(self.pairs(query), 400, message)

    def test_a_hundred_thousand_links(self):
        pairs = [(str(1_000_001 + i), str(2_000_001 + i % 20_000)) for i in range(100_000)]
        self.sandbox.links.add_many("contacts", "companies", pairs)
        told = self.pairs("from_type=contacts&to_type=companies").json()
        self.assertEqual((told["count"], told["links"][-1]), (100_000, ["1100000", "2020000"]))


class ChanceTests(SandboxCase):
    def played(self, count=60):
        """Return which of so many requests the faults meet."""
        path = pair_path("contacts", "501", "companies", "902")
        taken = [self.sandbox.faults.take("PUT", path) for _ in range(count)]
        return [fault.status for fault in taken]

    def test_a_seed_repeats_what_chance_chose(self):
        self.sandbox.fault(status=503, times=None, probability=0.3, seed=7)
        first = self.played()
        self.assertEqual(set(first), {None, 503})
        self.sandbox.reset()
        self.sandbox.fault(status=503, times=None, probability=0.3, seed=7)
        self.assertEqual(self.played(), first)
        self.sandbox.reset()
        self.sandbox.fault(status=503, times=None, probability=0.3, seed=8)
        self.assertNotEqual(self.played(), first)

    def test_about_as_often_as_asked(self):
        self.sandbox.fault(status=503, times=None, probability=0.1, seed=1)
        self.assertTrue(150 < self.played(2000).count(503) < 250)

    def test_only_those_met_are_counted(self):
        self.sandbox.fault(status=503, times=2, probability=0.5, seed=1)
        self.assertEqual(self.played().count(503), 2)
        self.assertEqual(self.sandbox.faults.active(), [])

    def test_the_next_fault_has_its_chance_too(self):
        self.sandbox.fault(status=503, times=None, probability=0.5, seed=1)
        self.sandbox.fault(status=502, times=None)
        self.assertEqual(set(self.played()), {503, 502})

    def test_one_is_certain_and_it_is_listed_as_posted(self):
        fields = {"status": 503, "times": None, "probability": 1, "seed": 0}
        self.sandbox.fault(**fields)
        self.assertEqual(self.played(), [503] * 60)
        self.assertEqual(self.sandbox.faults.active(), [fields])
