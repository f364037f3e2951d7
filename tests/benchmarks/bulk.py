"""How bulk runs do at 100,000 pairs: `python -m tests.benchmarks.bulk`.

Both sides of each ratio are measured in turns in one run; medians of the rounds. TEST_DATABASE_URL
chooses the database; what a goal is missed by is marked with `!`. HubSpot is the stand-in, in a
process of its own.
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

import requests
import urllib3
from django.conf import settings
from django.db import connection, transaction
from django.test.runner import DiscoverRunner
from django.test.utils import override_settings
from django.utils import timezone

from associations.audit import triggers
from associations.bulk import doors, runs, tasks
from associations.models import AssociationRequest, BulkRun, RunState, Way
from associations.services import Origin
from hubadmin.models import User
from tests.demo import MANAGE
from tests.support import person

GOALS = {"sqlite": 2.0, "postgresql": 1.6, "ceiling": 0.97, "memory": 30}
BATCH = 2_000
HEADERS = {"Authorization": "Bearer sandbox"}
ASSOCIATE = "/crm/v4/associations/contacts/companies/batch/associate/default"


# --- parts that all measurements need -------------------------------------------------------------


@contextmanager
def sandbox(limit: int) -> Iterator[str]:
    """A stand-in for HubSpot in a process of its own; its address."""
    command = [sys.executable, MANAGE, "hubspot_sandbox", "--port", "0", "--rate-limit", str(limit)]
    process = subprocess.Popen(
        command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())[0]
        threading.Thread(target=process.stdout.read, daemon=True).start()
        with override_settings(HUBSPOT_API_BASE_URL=address, HUBSPOT_ACCESS_TOKEN="sandbox"):
            yield address
    finally:
        process.terminate()
        process.wait()


def file_of(rows: int) -> Iterator[bytes]:
    """A CSV in parts, as an upload comes."""
    part = ["from type,from id,to type,to id,reason"]
    for number in range(rows):
        contact, company = 1_000_001 + number, 2_000_001 + number % 20_000
        part.append(f"Contact,{contact},Company,{company},SUP-{number}")
        if len(part) == 5_000:
            yield ("\n".join(part) + "\n").encode()
            part = []
    yield "\n".join(part).encode()


def staged_run(user: User, rows: int, way: str) -> BulkRun:
    """A run whose dry run is done, worked on in this process."""
    run = runs.create(user=user, origin=Origin(), name="rows.csv", parts=file_of(rows), way=Way(way))
    work_until(run, RunState.READY)
    assert run.rows_ready == rows, (run.state, run.problem)
    return run


def work_until(run: BulkRun, state: str) -> None:
    while run.state != state:
        assert run.state not in (RunState.UNREADABLE, RunState.PAUSED), run.state
        tasks.work(run.pk)
        run.refresh_from_db()


def tell(name: str, ratio: float, goal: float, detail: str, *, at_least: bool = False) -> None:
    missed = ratio < goal if at_least else ratio > goal
    print(f"{name}: {detail} = {ratio:.2f}{f' ! goal {goal}' if missed else ''}", flush=True)


def forget() -> None:
    """Empty the tables that a round has filled."""
    with triggers.lifted(), connection.cursor() as cursor:
        for table in ("associationrequest", "associationbatch", "bulkrow", "bulkchunk"):
            cursor.execute(f"DELETE FROM associations_{table}")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for table in ("associationrequest", "associationbatch", "bulkrow", "bulkchunk"):
                cursor.execute(f"VACUUM ANALYZE associations_{table}")


# --- batches ÷ the least there is to do -----------------------------------------------------------


def batches(rows: int, rounds: int) -> None:
    """From "Start" to the last closed entry ÷ writing, sending and closing the same by hand."""
    user = person()
    with sandbox(limit=0) as hubspot:
        times = []
        for _ in range(rounds):
            run = staged_run(user, rows, "batch")
            ours = seconds(lambda run=run: start_and_finish(user, run))
            assert run.linked == rows, run
            forget()
            least = seconds(lambda: by_hand(user, hubspot, rows))
            forget()
            times.append((ours, least))
    mine, floor = (statistics.median(side) for side in zip(*times, strict=True))
    ratio = statistics.median(a / b for a, b in times)
    name = f"{rows:,} pairs by batches / by hand, {connection.vendor}"
    tell(name, ratio, GOALS[connection.vendor], f"{mine:.1f} s / {floor:.1f} s")


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def start_and_finish(user: User, run: BulkRun) -> None:
    runs.start(user=user, run=run, way=Way(run.way), skip_linked=False)
    work_until(run, RunState.DONE)


def by_hand(user: User, hubspot: str, rows: int) -> None:
    """What it cannot do without: each row in the log, sent, and closed; nothing is looked at."""
    template = AssociationRequest(
        user=user, user_name=user.name, outcome="queued", created_at=timezone.now()
    )
    fields = [f for f in AssociationRequest._meta.concrete_fields if not f.primary_key]
    columns = {f.column: f.get_db_prep_save(getattr(template, f.attname), connection) for f in fields}
    table = AssociationRequest._meta.db_table
    marks = ", ".join(["%s"] * len(columns))
    insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
    close = (
        f"UPDATE {table} SET outcome = 'linked', cause = 'confirmed', http_status = 200, "
        "status = 'COMPLETE', finished_at = %s WHERE id BETWEEN %s AND %s"
    )
    pool = urllib3.PoolManager()
    with connection.cursor() as cursor:
        for start in range(0, rows, BATCH):
            numbers = range(start, min(rows, start + BATCH))
            pairs = [(str(1_000_001 + n), str(2_000_001 + n % 20_000)) for n in numbers]
            with transaction.atomic():
                cursor.executemany(insert, [values_of(columns, pair) for pair in pairs])
                cursor.execute(f"SELECT MAX(id) FROM {table}")
                last = cursor.fetchone()[0]
            body = {"inputs": [{"from": {"id": one}, "to": {"id": other}} for one, other in pairs]}
            answer = pool.request("POST", hubspot + ASSOCIATE, json=body, headers=HEADERS)
            assert len(json.loads(answer.data)["results"]) == 2 * len(pairs)
            cursor.execute(close, [timezone.now(), last - len(pairs) + 1, last])


def values_of(columns: dict[str, object], pair: tuple[str, str]) -> list[object]:
    own = {"from_object_type": "contacts", "from_object_id": pair[0]}
    own |= {"to_object_type": "companies", "to_object_id": pair[1], "reason": f"SUP-{pair[0]}"}
    return [*(columns | own).values()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    runner = DiscoverRunner(verbosity=0, interactive=False)
    databases = runner.setup_databases()
    try:
        batches(options.rows, options.rounds)
    finally:
        runner.teardown_databases(databases)


if __name__ == "__main__":
    main()
