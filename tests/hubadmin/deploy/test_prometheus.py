"""The files for Prometheus and Grafana: they ask for what /metrics gives, and raise no more."""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

from django.conf import settings
from django.test import SimpleTestCase, TestCase
from django.utils import timezone

from associations.audit.integrity import sealing
from associations.gateway import rate_limiter
from associations.gateway.calls import count_call
from associations.hubspot.answers import Attempt
from associations.models import Sealer
from tests.associations.linking.base import entry_of, run_of
from tests.associations.metrics.test_page import MeasuredMixin, samples
from tests.support import SignedInClient, needed, person

DEPLOY = settings.BASE_DIR / "hubadmin" / "deploy"
ALERTS, DASHBOARD = DEPLOY / "prometheus-alerts.yml", DEPLOY / "grafana-dashboard.json"
RULE_TESTS = Path(__file__).with_name("alerts.yml")
promtool = shutil.which("promtool")
with_promtool = needed(bool(promtool), "promtool (Debian: prometheus)")

# A metric, and what it is to be like: hubadmin_runs{state="paused"}.
_SELECTOR = re.compile(r"\b(hubadmin_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
_BY = re.compile(r"\bby \(([^)]*)\)")


def panels() -> list[dict[str, Any]]:
    return json.loads(DASHBOARD.read_text())["panels"]


def expressions() -> Iterator[str]:
    """Of every rule and every panel."""
    rules = re.findall(r"^ +expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)", ALERTS.read_text(), re.M)
    yield from (block or line for block, line in rules)
    for panel in panels():
        yield from (each["expr"] for each in panel["targets"])


class NameTests(MeasuredMixin, TestCase):
    def setUp(self) -> None:
        """A site with something of everything that can be told."""
        super().setUp()
        user, now = person(), timezone.now()
        headers = {"X-HubSpot-RateLimit-Daily": "1000", "X-HubSpot-RateLimit-Daily-Remaining": "40"}
        answered = {"started_at": now, "duration_ms": 5, "http_status": 200, "headers": headers}
        entry_of(user).attempts.create(number=1, **answered)
        [*sealing.seal_log()]
        entry_of(user, finished_at=now - timedelta(hours=1))
        entry_of(user, outcome="sending", cause="", finished_at=None)
        run_of(user, state="paused", stop_cause="scope_missing")
        Sealer.objects.create(name="one", seen_at=now)
        count_call("/crm/v3/objects/contacts/batch/read", Attempt(now, 5, http_status=200))
        SignedInClient(user).get("/")
        with self.settings(HUBSPOT_CALLS_PER_10_SECONDS=20, HUBSPOT_CALLS_FOR_PEOPLE=4):
            rate_limiter.acquire_interactive(1)
            text = self.page()
        self.values: dict[str, dict[str, set[str]]] = {}
        for name, labels in samples(text):
            known = self.values.setdefault(name, {})
            for label, value in labels:
                known.setdefault(label, set()).add(value)

    def test_they_name_only_metrics_and_labels_that_are_given(self) -> None:
        seen = set()
        for expression in expressions():
            names = {name for name, _ in _SELECTOR.findall(expression)}
            self.assertTrue(names, expression)
            seen |= names
            for name, matchers in _SELECTOR.findall(expression):
                with self.subTest(name, expression=expression):
                    self.assertIn(name, self.values)
                    self.check(name, matchers)
            for label in filter(None, re.split(r",\s*", ",".join(_BY.findall(expression)))):
                self.assertTrue(any(label in self.values[name] for name in names), expression)
        self.assertGreater(len(seen), 20)

    def check(self, name: str, matchers: str) -> None:
        for label, operator, value in _MATCHER.findall(matchers):
            known = self.values[name][label]
            # What is to be left out need not have come yet.
            if operator in ("=", "=~"):
                self.assertEqual({*value.split("|")} - known, set())
        self.assertEqual(
            matchers,
            ",".join("".join(each[:2]) + f'"{each[2]}"' for each in _MATCHER.findall(matchers)),
        )

    def test_everything_that_is_given_is_used(self) -> None:
        """By a rule or by the dashboard; what nobody looks at need not be counted."""
        used = {name for each in expressions() for name, _ in _SELECTOR.findall(each)}
        ends = re.compile("_(count|sum|bucket)$")
        given = {name for name in self.values if name.startswith("hubadmin_")}
        histograms = {ends.sub("", name) for name in used if ends.search(name)}
        unused = {name for name in given - used if ends.sub("", name) not in histograms}
        self.assertEqual(unused, set())


class DashboardTests(SimpleTestCase):
    def test_each_panel_has_its_place(self) -> None:
        places = [{"id": each["id"]} | each["gridPos"] for each in panels()]
        self.assertEqual(len({each["id"] for each in places}), len(places))
        for one, other in combinations(places, 2):
            apart = (
                one["x"] + one["w"] <= other["x"]
                or other["x"] + other["w"] <= one["x"]
                or one["y"] + one["h"] <= other["y"]
                or other["y"] + other["h"] <= one["y"]
            )
            self.assertTrue(apart, (one, other))

    def test_each_legend_names_labels_that_the_expression_keeps(self) -> None:
        for panel in panels():
            for target in panel["targets"]:
                kept = {*re.split(r",\s*", ",".join(_BY.findall(target["expr"])))}
                named = {*re.findall(r"{{(\w+)}}", target["legendFormat"])}
                self.assertEqual(named - kept, set(), panel["title"])


@with_promtool
class PromtoolTests(SimpleTestCase):
    def run_promtool(self, *arguments: str) -> None:
        ended = subprocess.run([promtool, *arguments], capture_output=True, text=True)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)

    def test_the_rules_can_be_read(self) -> None:
        self.run_promtool("check", "rules", str(ALERTS))

    def test_they_raise_what_breaks_and_nothing_else(self) -> None:
        self.run_promtool("test", "rules", str(RULE_TESTS))

    def test_the_expressions_of_the_dashboard_can_be_read(self) -> None:
        found = [each.replace("$__rate_interval", "5m") for each in expressions()]
        rules = [{"record": f"of:panel:{n}", "expr": each} for n, each in enumerate(found)]
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)  # JSON is YAML
            file.flush()
            self.run_promtool("check", "rules", file.name)
