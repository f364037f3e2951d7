"""What one person's look-ups cost another's submits: `python -m tests.load.lookups [--tree DIR]`.

Several clients of one person look up previews and the names of entries' records, each of other
records, so that nothing is remembered; two processes serve. Meanwhile somebody else links records,
and HubSpot takes as many calls as it does. Exit code 1: a submit ended otherwise than linked.
"""

import argparse
import itertools
import os
import random
import re
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Self

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from hubadmin.demo.sandbox import Sandbox
from tests.identity.server import Server
from tests.load.people import BY_HEADER, Person, p95, seconds_of

CLIENTS, PAUSE, ENTRIES, SUBMITS = 8, 0.1, 3_000, 24
# How much Bea may submit is not what is measured.
UNBOUNDED = BY_HEADER | {"SUBMITS_PER_PERSON_PER_MINUTE": "0"}
FILL = f"""
from datetime import timedelta
from django.utils import timezone
from associations.models import AssociationRequest
from hubadmin.models import User
ada, now = User.objects.get(subject="ada"), timezone.now() - timedelta(hours=1)
AssociationRequest.objects.bulk_create([AssociationRequest(
    user=ada, user_name="Ada", created_at=now, finished_at=now, from_object_type="contacts",
    from_object_id=str(10_000 + n), to_object_type="companies", to_object_id=str(20_000 + n),
    outcome="linked", cause="confirmed", api_version="v4") for n in range({ENTRIES})],
    batch_size=500)
"""


class Looking:
    """One person, who looks up something with every one of these clients, again and again."""

    def __init__(self, server: Server, way: str) -> None:
        self._server, self._way, self._over = server, way, threading.Event()
        self._numbers, self.looks = itertools.count(1), 0

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._look) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _look(self) -> None:
        ada = Person(self._server, "ada", "admin")
        while not self._over.wait(PAUSE * random.uniform(0.5, 1.5)):
            number = next(self._numbers) % ENTRIES + 1
            if self._way == "records":
                ada.get(f"/requests/{number}/records/")
            else:
                ada.preview(str(30_000 + number), str(40_000 + number))
            self.looks += 1


def submitted(person: Person) -> tuple[list[float], Counter[str]]:
    """How long each of some submits took, to the page with its answer, and how it ended."""
    times, ends = list[float](), Counter[str]()

    def submit() -> None:
        page = person.submit(from_object_id=str(random.randint(501, 505)))
        told = re.search(r'class="notice result (\w+)"', page)
        is_linked = 'id="linked"' in page
        ends["linked" if is_linked else told[1] if told else "no entry"] += 1

    for _ in range(SUBMITS):
        times.append(seconds_of(submit))
        time.sleep(0.5)
    return times, ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree", type=Path, help="another checkout, to be measured instead")
    options = parser.parse_args()
    tree = {"tree": options.tree} if options.tree else {}
    missed = False
    head = ("submits of another, with", "linked", "other", "p95", "ratio", "looks")
    print("{:26}{:>8}{:>7}{:>10}{:>7}{:>7}".format(*head))
    with Sandbox() as sandbox, Server(sandbox.url, **tree, **UNBOUNDED) as server:
        Person(server, "ada", "admin").get("/requests/")
        server.manage("shell", "-c", FILL)
        bea = Person(server, "bea")
        bea.submit()
        alone, ends = submitted(bea)
        print(
            f"{'nothing else':26}{ends['linked']:8}{ends.total() - ends['linked']:7}"
            f"{p95(alone) * 1000:7.0f} ms"
        )
        for way in ("records", "previews"):
            with Looking(server, way) as looking:
                time.sleep(5)
                times, ends = submitted(bea)
            lost = SUBMITS - ends["linked"]
            missed |= bool(lost)
            print(
                f"{f'{CLIENTS} clients: {way}':26}{ends['linked']:8}{lost:7}"
                f"{p95(times) * 1000:7.0f} ms{p95(times) / p95(alone):7.2f}{looking.looks:7}"
                f"  {dict(ends)}",
                flush=True,
            )
            time.sleep(10)
    sys.exit(missed)


if __name__ == "__main__":
    main()
