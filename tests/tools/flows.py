"""How much of the code each flow runs through: `python -m tests.tools.flows`.

In one process, with the sandbox as HubSpot; tracer.py says what is counted. Caches are
warm. What the status page asks HubSpot does not count: the threads for it were there before.
"""

import os
import sys
import time
import unittest
from collections.abc import Callable
from functools import partial, reduce
from operator import or_

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings
from django.test.runner import DiscoverRunner

from associations.audit.integrity.chain_verification import verify
from associations.audit.integrity.sealing import seal_log
from associations.bulk import tasks
from associations.models import AssociationRequest, BulkRun, RunState, SendMode
from tests.associations.audit.integrity.base import LogTestCase
from tests.associations.bulk.engine import HEADER, EngineTestCase, row
from tests.associations.linking.base import PageTestCase
from tests.support import LINK, SignedInClient
from tests.tools.tracer import Trace, trace

ROWS = 12

traces: dict[str, Trace] = {}


def follow(flow: str, do: Callable[[], object]) -> None:
    traces[flow] = trace(do)


def get(browser: Client, address: str) -> None:
    response = browser.get(address)
    assert response.status_code == 200, (address, response.status_code)
    b"".join(response)


def post(browser: Client, address: str, **fields: object) -> None:
    response = browser.post(address, fields)
    assert response.status_code == 302, (address, response.status_code)


class PageFlows(PageTestCase):
    def test_pages(self) -> None:
        link = partial(post, self.client, "/", **LINK)
        get(self.client, "/")
        follow("POST the form", link)
        entry = AssociationRequest.objects.get().get_absolute_url()
        get(self.client, entry)
        follow("GET the result page, support", lambda: get(self.client, entry))
        follow("GET the result page, admin", lambda: get(self.as_admin, entry))
        follow("GET the audit log", lambda: get(self.as_admin, "/audit/"))
        with override_settings(HUBSPOT_CALLS_PER_10_SECONDS=190):
            get(self.as_admin, "/status/")
            follow("GET the status page", lambda: get(self.as_admin, "/status/"))
        with self.captureOnCommitCallbacks() as after_commit:
            link()
        follow("after the form's commit", lambda: [each() for each in after_commit])


class SealFlows(LogTestCase):
    def test_seals(self) -> None:
        self.entry(attempts=2)
        follow("seal_log()", lambda: list(seal_log()))
        follow("verify()", verify)


class BulkFlows(EngineTestCase):
    def test_a_run(self) -> None:
        browser = SignedInClient(self.user)
        get(browser, "/bulk/")
        file = SimpleUploadedFile("pairs.csv", "\n".join([HEADER, *map(row, range(ROWS))]).encode())
        follow("bulk: upload", lambda: post(browser, "/bulk/", file=file))
        self.run_ = BulkRun.objects.get()
        page = self.run_.get_absolute_url()
        self.work(f"bulk: dry run of {ROWS} rows", RunState.READY)
        follow("bulk: page, ready", lambda: get(browser, page))
        follow("bulk: start", lambda: post(browser, f"{page}start/", way=SendMode.BATCH))
        self.work("bulk: queue", RunState.RUNNING)
        self.work("bulk: send one batch", RunState.RUNNING)
        self.work("bulk: end", RunState.DONE)
        follow("bulk: page, done", lambda: get(browser, page))
        follow("bulk: results.csv", lambda: get(browser, f"{page}results.csv"))
        traces["bulk, whole"] = reduce(or_, (traces[name] for name in traces if "bulk:" in name))

    def work(self, flow: str, state: RunState) -> None:
        """Let a worker do one step, which leads to that state."""
        self.run_.refresh_from_db()
        step = tasks._STEPS[RunState(self.run_.state)]
        follow(flow, lambda: step(self.run_, time.monotonic() + 10))
        self.run_.refresh_from_db()
        self.assertEqual(self.run_.state, state)


def main() -> None:
    runner = DiscoverRunner(verbosity=0, interactive=False)
    runner.setup_test_environment()
    databases = runner.setup_databases()
    try:
        load = unittest.defaultTestLoader.loadTestsFromTestCase
        result = runner.run_suite(unittest.TestSuite(map(load, (PageFlows, SealFlows, BulkFlows))))
    finally:
        runner.teardown_databases(databases)
    if not result.wasSuccessful():
        sys.exit(1)
    print(f"{'flow':<30}{'files':>7}{'functions':>11}{'calls':>7}{'changes':>9}")
    for flow, ran in traces.items():
        print(
            f"{flow:<30}{len(ran.files):>7}{len(ran.functions):>11}{ran.calls:>7}{ran.changes:>9}"
        )


if __name__ == "__main__":
    main()
