"""Changes of every kind planted among many links: what a day's look finds of them, and its calls.

Run: python -m tests.faults.sweep --links 100000 --planted 1000 [--seed N] [--database sqlite].
It ends with 1 unless all that was planted was found, nothing else, in no more than 200 calls. Then
the form is measured without and beside a sweep that begins anew as soon as it is through.
"""

import argparse
import multiprocessing
import os
import statistics
import sys
import time
from collections import Counter
from datetime import timedelta
from random import Random
from typing import Any

from tests.faults.own_database import own_database

KINDS = ("gone", "other_type", "merged", "from_deleted", "to_deleted", "not_seen")
MOST_CALLS = 200
FIRST_CONTACT, FIRST_COMPANY, COMPANIES = 1_000_001, 2_000_001, 20_000
LABEL = "Decision maker"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.sweep")
    parser.add_argument("--links", type=int, default=100_000)
    parser.add_argument("--planted", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--submits", type=int, default=60, help="of the form, with and without")
    parser.add_argument("--database", default="sqlite", help="sqlite, or an address of PostgreSQL")
    options = parser.parse_args()
    os.environ.pop("TEST_DATABASE_URL", None)
    if options.database != "sqlite":
        os.environ["TEST_DATABASE_URL"] = f"{options.database}_sweep_{os.getpid()}"
    with own_database("sweep"):
        return _Campaign(options).run()


class _Campaign:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.chance = options, Random(options.seed)

    def run(self) -> int:
        from django.test import override_settings

        from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox

        with Sandbox() as self.sandbox:
            address = {"HUBSPOT_API_BASE_URL": self.sandbox.url, "SUBMITS_PER_PERSON_PER_MINUTE": 0}
            no_wait = {"HUBSPOT_CALLS_PER_10_SECONDS": 0}
            with override_settings(HUBSPOT_ACCESS_TOKEN=SANDBOX_TOKEN, **address):
                with override_settings(**no_wait):
                    is_right = self._days()
                self._form()
        return 0 if is_right else 1

    def _days(self) -> bool:
        self._link()
        wanted: dict[int, str] = {}
        is_right = self._day("as it was linked", wanted)
        wanted = self._plant()
        is_right &= self._day("after the changes", wanted)
        is_right &= self._day("a day later", {})
        return is_right

    def _link(self) -> None:
        from django.utils import timezone

        from associations.models import AssociationRequest
        from tests.support import person

        user, made_at = person(), timezone.now() - timedelta(days=2)
        told = {"user": user, "user_name": user.name, "outcome": "linked", "cause": "confirmed"}
        told |= dict.fromkeys(("created_at", "sent_at", "finished_at"), made_at)
        told |= {"from_object_type": "contacts", "to_object_type": "companies", "api_version": "v4"}
        pairs = [(str(FIRST_CONTACT + n), str(FIRST_COMPANY + n % COMPANIES))
                 for n in range(self.options.links)]  # fmt: skip
        rows = (AssociationRequest(from_object_id=one, to_object_id=other, **told)
                for one, other in pairs)  # fmt: skip
        AssociationRequest.objects.bulk_create(rows, batch_size=2_000)
        self.sandbox.links.add_many("contacts", "companies", pairs)
        self.entries = dict(
            zip(pairs, AssociationRequest.objects.order_by("pk").values_list("pk", flat=True),
                strict=True)
        )  # fmt: skip

    def _plant(self) -> dict[int, str]:
        """Change some links, each in one way, and return what is to be found of which entry."""
        wanted, companies = dict[int, str](), set[str]()
        chosen = self.chance.sample(sorted(self.entries), self.options.planted)
        for number, pair in enumerate(chosen):
            kind = KINDS[number % len(KINDS)]
            # What befalls a company befalls all its links, so only a contact's own is changed.
            kind = (
                "from_deleted" if kind == "to_deleted" and self.options.links > COMPANIES else kind
            )
            companies.add(pair[1])
            self._change(kind, *pair)
            wanted[self.entries[pair]] = kind
        return wanted

    def _change(self, kind: str, contact: str, company: str) -> None:
        ends = "contacts", contact, "companies", company
        match kind:
            case "gone":
                self.sandbox.unlink(*ends)
            case "other_type":
                self.sandbox.link(*ends, label=LABEL)
                self.sandbox.unlink(*ends, whole=False)
            case "merged":
                self.sandbox.merge("contacts", contact, f"9{contact}")
            case "from_deleted":
                self.sandbox.archive("contacts", contact)
                self.sandbox.unlink(*ends)
            case "to_deleted":
                self.sandbox.archive("companies", company)
                self.sandbox.unlink(*ends)
            case "not_seen":
                self.sandbox.unreadable.add(("contacts", contact))

    def _day(self, name: str, wanted: dict[int, str]) -> bool:
        from associations.models import AssociationCheck, SecurityEvent, Sweep
        from associations.sweep import sweeping

        before = AssociationCheck.objects.count()
        Sweep.objects.update(day="2026-01-01", lease_until=None)
        calls, start = self.sandbox.calls.summary()["calls"], time.monotonic()
        while sweeping.take_step():
            pass
        seconds = time.monotonic() - start
        calls = self.sandbox.calls.summary()["calls"] - calls
        checks = AssociationCheck.objects.order_by("pk").values_list("entry_id", "finding")[before:]
        found = list(checks)
        right = [each for each in found if wanted.get(each[0]) == each[1]]
        told = SecurityEvent.objects.filter(what="links_swept").latest("pk").facts
        print(f"{name}: planted {len(wanted)}, found {len(right)}, false {len(found) - len(right)},"
              f" calls {calls}, {seconds:.1f} s; {dict(Counter(f for _, f in found))}")  # fmt: skip
        print(f"  told: {told}", flush=True)
        return len(right) == len(found) == len(wanted) and calls <= MOST_CALLS

    # --- the form beside it -----------------------------------------------------------------------

    def _form(self) -> None:
        """The form and the sweep, each with a stand-in of its own, all in processes of their own.

        HubSpot's answers to a thousand links at once cost the one stand-in as much as a sweep.
        """
        processes = multiprocessing.get_context("fork")
        alone = self._measured(processes)
        steps, ended = processes.Value("i", 0), processes.Event()
        sweeper = processes.Process(target=self._sweep_until, args=(ended, steps))
        sweeper.start()
        beside = self._measured(processes)
        ended.set()
        sweeper.join()
        told = f"{alone * 1000:.0f} ms alone, {beside * 1000:.0f} ms beside the sweep"
        print(f"the form's p95: {told}, ratio {beside / alone:.2f}; {steps.value} steps beside it")

    def _measured(self, processes: Any) -> float:
        seconds = processes.Value("d", 0.0)

        def measure() -> None:
            from django.test import override_settings

            from hubadmin.demo.sandbox import Sandbox
            from tests.support import SignedInClient, person

            _begin_anew()
            with Sandbox() as sandbox, override_settings(HUBSPOT_API_BASE_URL=sandbox.url):
                client = SignedInClient(person("admin"))
                self._submits(client, 5)
                seconds.value = self._submits(client, self.options.submits)

        process = processes.Process(target=measure)
        process.start()
        process.join()
        if not seconds.value:
            raise SystemExit("the form was not measured")
        return float(seconds.value)

    def _sweep_until(self, ended: Any, steps: Any) -> None:
        """Sweep without pause, day after day: more than any worker does."""
        from associations.models import Sweep
        from associations.sweep import sweeping

        _begin_anew()
        while not ended.is_set():
            if sweeping.take_step():
                steps.value += 1
            else:
                Sweep.objects.update(day="2026-01-01", lease_until=None)
                time.sleep(0.05)

    def _submits(self, client: Any, count: int) -> float:
        """The 95th percentile of so many submits, in seconds."""
        from tests.support import LINK

        times = []
        for _ in range(count):
            start = time.monotonic()
            answer = client.post("/", LINK | {"submit_token": ""})
            times.append(time.monotonic() - start)
            if answer.status_code != 302:
                raise SystemExit(f"the form answered {answer.status_code}")
            time.sleep(0.15)  # within the limit of calls, of which each submit takes three
        return statistics.quantiles(times, n=20)[-1]


def _begin_anew() -> None:
    """What a forked process must not share with the one that it comes from."""
    from django.db import connections

    from associations.gateway import clients, rate_limiter

    connections.close_all()
    rate_limiter.close()
    for client in (clients.interactive, clients.looking, clients.searching, *clients.OF_WORKERS):
        client.cache_clear()


if __name__ == "__main__":
    sys.exit(main())
