"""How bulk runs do at 100,000 pairs: `python -m tests.benchmarks.bulk`.

Both sides of each ratio are measured in turns in one run; medians of the rounds. TEST_DATABASE_URL
chooses the database; what a goal is missed by is marked with `!`. HubSpot is the stand-in, in a
process of its own.
"""

import argparse
import csv
import io
import json
import os
import random
import re
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import islice
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

from associations.audit.integrity import triggers
from associations.audit.recorder import RequestMeta
from associations.bulk import exports, services, tasks
from associations.gateway import rate_limiter
from associations.models import (
    AssociationAttempt,
    AssociationBatch,
    AssociationRequest,
    BulkChunk,
    BulkRow,
    BulkRun,
    RecordNames,
    RunState,
    SendMode,
)
from hubadmin.models import User
from tests.demo import MANAGE
from tests.support import LINK, person

GOALS = {"sqlite": 1.4, "postgresql": 1.3, "ceiling": 0.97, "memory": 30}
GOALS |= {"dry-run": 1 / 4, "results": 1 / 6, "adapt": 0.95, "refused": 1.0}
BATCH, LIMIT = 2_000, 190
KEY = secrets.token_urlsafe(50)  # web and workers share it
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
    file = {"name": "rows.csv", "parts": file_of(rows)}
    run = services.create(user=user, meta=RequestMeta(), way=SendMode(way), **file)
    work_until(run, RunState.READY)
    assert run.rows_ready == rows, (run.state, run.problem)
    return run


def own_memory() -> int:
    """KiB of this process alone: what SQLite maps of its file is the system's cache."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1])
    return 0


def work_until(run: BulkRun, state: str) -> None:
    while run.state != state:
        assert run.state not in (RunState.UNREADABLE, RunState.PAUSED), run.state
        tasks.work(run.pk)
        run.refresh_from_db()


def tell(name: str, ratio: float, goal: float, detail: str, *, at_least: bool = False) -> None:
    missed = ratio < goal if at_least else ratio > goal
    print(f"{name}: {detail} = {ratio:.2f}{f' ! goal {goal:.2f}' if missed else ''}", flush=True)


FILLED = (RecordNames, AssociationAttempt, AssociationRequest, AssociationBatch, BulkRow, BulkChunk)


def forget() -> None:
    """Empty the tables that a round has filled."""
    tables = [model._meta.db_table for model in FILLED]
    with triggers.lifted(), connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DELETE FROM {table}")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f"VACUUM ANALYZE {table}")


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
    services.start(user=user, run=run, way=SendMode(run.way), skip_linked=False)
    work_until(run, RunState.DONE)


def by_hand(user: User, hubspot: str, rows: int) -> None:
    """What it cannot do without: each row in the log, sent, and closed; nothing is looked at."""
    template = AssociationRequest(
        user=user, user_name=user.name, outcome="queued", created_at=timezone.now()
    )
    columns = {
        field.column: field.get_db_prep_save(getattr(template, field.attname), connection)
        for field in AssociationRequest._meta.concrete_fields
        if not field.primary_key
    }
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
            now = connection.ops.adapt_datetimefield_value(timezone.now())
            cursor.execute(close, [now, last - len(pairs) + 1, last])


def values_of(columns: dict[str, object], pair: tuple[str, str]) -> list[object]:
    own = {"from_object_type": "contacts", "from_object_id": pair[0]}
    own |= {"to_object_type": "companies", "to_object_id": pair[1], "reason": f"SUP-{pair[0]}"}
    return [*(columns | own).values()]


# --- dry run and results ÷ csv and the database alone ---------------------------------------------


def dry_run(rows: int, rounds: int) -> None:
    """Rows a second of CPU, from upload to ready ÷ the csv module and executemany.

    Nothing is looked up: what HubSpot takes is not ours.
    """
    user, ratios = person(), []
    file = b"".join(file_of(rows)).decode()
    with override_settings(HUBSPOT_VERIFY=False):
        for _ in range(rounds):
            ours = cpu_seconds(lambda: staged_run(user, rows, "batch"))
            forget()
            least = cpu_seconds(lambda: insert_by_hand(file))
            forget()
            ratios.append((least / ours, ours, least))
    ratio, ours, least = statistics.median_low(ratios)
    detail = f"{rows / ours:,.0f} / {rows / least:,.0f} rows/s"
    name = f"dry run of {rows:,} rows by ids / csv and executemany, CPU, {connection.vendor}"
    tell(name, ratio, GOALS["dry-run"], detail, at_least=True)


def insert_by_hand(file: str) -> None:
    """Into a table without constraints and indexes, so that what these cost counts as ours."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE bare (a text, b text, c text, d text, e text)")
        rows = islice(csv.reader(io.StringIO(file)), 1, None)
        cursor.executemany("INSERT INTO bare VALUES (%s, %s, %s, %s, %s)", list(rows))
        cursor.execute("DROP TABLE bare")


def results(rows: int, rounds: int) -> None:
    """Rows a second of CPU in results.csv ÷ one JOIN and the csv writer."""
    user, ratios = person(), []
    with sandbox(limit=0), override_settings(HUBSPOT_VERIFY=False):
        run = staged_run(user, rows, "batch")
        start_and_finish(user, run)
        for _ in range(rounds):
            ours = cpu_seconds(lambda: sum(map(len, exports.result_lines(run))))
            least = cpu_seconds(lambda: join_by_hand(run))
            ratios.append((least / ours, ours, least))
    forget()
    ratio, ours, least = statistics.median_low(ratios)
    detail = f"{rows / ours:,.0f} / {rows / least:,.0f} rows/s"
    name = f"results.csv of {rows:,} rows / one JOIN and csv, CPU, {connection.vendor}"
    tell(name, ratio, GOALS["results"], detail, at_least=True)


def join_by_hand(run: BulkRun) -> None:
    of_row = ("number", "line", "from_object_type", "from_object_id", "to_object_type")
    of_row += ("to_object_id", "reason", "state", "from_name", "to_name")
    of_entry = ("id", "outcome", "cause", "error_text")
    columns = [f"r.{name}" for name in of_row] + [f"e.{name}" for name in of_entry]
    rows, entries = BulkRow._meta.db_table, AssociationRequest._meta.db_table
    query = (
        f"SELECT {', '.join(columns)} FROM {rows} r LEFT JOIN {entries} e "
        "ON e.run_id = r.run_id AND e.row_number = r.number WHERE r.run_id = %s ORDER BY r.number"
    )
    text = io.StringIO()
    with connection.cursor() as cursor:
        cursor.execute(query, [run.pk])
        csv.writer(text, quoting=csv.QUOTE_ALL).writerows(cursor.fetchall())


def cpu_seconds(call: Callable[[], object]) -> float:
    """Of this process, not of a database server."""
    start = time.process_time()
    call()
    return time.process_time() - start


# --- memory ---------------------------------------------------------------------------------------


def memory(large: int) -> None:
    """What a worker needs above its idle process, from upload to last row; in one of its own."""
    found = []
    with sandbox(limit=0) as hubspot:
        for rows in (1_000, large):
            command = [sys.executable, "-m", "tests.benchmarks.bulk", "--memory-of-run"]
            command += [str(connection.settings_dict["NAME"]), hubspot, str(rows)]
            used = float(subprocess.check_output(command, text=True))
            print(f"memory of a run, {rows:,} rows: {used:.1f} MiB above idle")
            found.append(used)
            forget()
    tell("memory of a run / its goal", max(found) / GOALS["memory"], 1, f"{max(found):.1f} MiB")


def print_memory_of_run(name: str, hubspot: str, rows: int) -> None:
    connection.settings_dict["NAME"] = name
    settings.HUBSPOT_API_BASE_URL = hubspot
    user = User.objects.first() or person()
    peak = idle = own_memory()
    is_over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not is_over.wait(0.01):
            peak = max(peak, own_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start_and_finish(user, staged_run(user, rows, "batch"))
    is_over.set()
    watcher.join()
    print((peak - idle) / 1024)


# --- the limiter's ceiling ------------------------------------------------------------------------


def ceiling(windows: int) -> None:
    """How near single PUTs come to as many as the limit lets a run send, by several workers.

    One row more than fits into so many windows can leave no sooner than these are over.
    """
    limit = LIMIT
    share = limit - settings.HUBSPOT_CALLS_FOR_PEOPLE
    user = person()
    for workers in (1, 2, 4):
        with sandbox(limit) as hubspot:
            requests.post(
                f"{hubspot}/_sandbox/faults", json={"delay": 0.15, "times": None}, timeout=5
            )
            run = staged_run(user, windows * share + 1, "single")
            with worker_processes(hubspot, workers):
                services.start(user=user, run=run, way=SendMode.SINGLE, skip_linked=False)
                wait_for(run, RunState.DONE, seconds=30 + 20 * windows)
            took = seconds_between_puts(hubspot)
            calls = requests.get(f"{hubspot}/_sandbox/calls", timeout=5).json()
        ratio = windows * 10 / took
        detail = f"{windows * share + 1} rows, {windows * 10} s / {took:.1f} s"
        name = f"ceiling / single PUTs, {workers} workers, {connection.vendor}"
        tell(name, ratio, GOALS["ceiling"], detail, at_least=True)
        print(f"  most calls in 10 s: {calls['most_in_10_seconds']}, refused: {calls['refused']}")
        forget()


def seconds_between_puts(hubspot: str) -> float:
    puts = requests.get(f"{hubspot}/_sandbox/requests", timeout=30).json()
    times = [datetime.fromisoformat(p["received_at"]) for p in puts if p["method"] == "PUT"]
    return (max(times) - min(times)).total_seconds()


# --- a limit that changes meanwhile ---------------------------------------------------------------

LIMITS = (190, 100, 250, 150, 190)  # one after another
KEPT = 45.0  # seconds, each of them


def adapt() -> None:
    """How near a run of single PUTs comes to HubSpot's limit of the moment, and what it refuses.

    The setting allows as many calls as the highest of them, and all to runs. What is measured are
    the calls taken in the ten seconds that begin ten after the first call to a changed limit.
    """
    user = person()
    rows = round(sum(LIMITS) * KEPT / 10) + 500
    more = {"HUBSPOT_CALLS_PER_10_SECONDS": str(max(LIMITS)), "HUBSPOT_CALLS_FOR_PEOPLE": "0"}
    with sandbox(LIMITS[0]) as hubspot:
        slow = {"delay": 0.15, "times": None}
        requests.post(f"{hubspot}/_sandbox/faults", json=slow, timeout=5)
        with override_settings(HUBSPOT_VERIFY=False):
            run = staged_run(user, rows, "single")
        changes = []
        with worker_processes(hubspot, 2, more):
            services.start(user=user, run=run, way=SendMode.SINGLE, skip_linked=False)
            for limit in LIMITS:
                requests.post(f"{hubspot}/_sandbox/rate", json={"calls": limit}, timeout=5)
                changes.append((limit, time.time()))
                time.sleep(KEPT)
            services.cancel(user=user, run=run)
            wait_for(run, RunState.CANCELED, seconds=60)
        puts = puts_in(hubspot)
    ends = [changed_at for _, changed_at in changes[1:]] + [changes[-1][1] + KEPT]
    for (limit, changed_at), end in zip(changes, ends, strict=True):
        tell_of_limit(limit, [put for put in puts if changed_at <= put[0] < end], end)
    refused = sum(status == 429 for _, status in puts)
    name = f"limits that change / refused in percent, {connection.vendor}"
    tell(name, 100 * refused / len(puts), GOALS["refused"], f"{refused} of {len(puts)} calls")
    forget()


def tell_of_limit(limit: int, puts: list[tuple[float, int]], end: float) -> None:
    learnt_at = puts[0][0]
    taken = [moment - learnt_at for moment, status in puts if status == 200]
    reached = sum(10 <= each < 20 for each in taken)
    mean = sum(each >= 10 for each in taken) * 10 / (end - learnt_at - 10)
    refused = sum(status == 429 for _, status in puts)
    name = f"limit {limit} / reached within ten seconds, {connection.vendor}"
    detail = f"{reached} / {limit} calls (from then on {mean:.0f}, refused {refused})"
    tell(name, reached / limit, GOALS["adapt"], detail, at_least=True)


def puts_in(hubspot: str) -> list[tuple[float, int]]:
    """When each came, and how it was answered."""
    heard = requests.get(f"{hubspot}/_sandbox/requests", timeout=30).json()
    puts = [each for each in heard if each["method"] == "PUT" and each["status"]]
    times = ((datetime.fromisoformat(each["received_at"]).timestamp(), each) for each in puts)
    return [(moment, each["status"]) for moment, each in times]


@contextmanager
def worker_processes(
    hubspot: str, number: int, more: dict[str, str] | None = None
) -> Iterator[None]:
    """Real workers, under the settings of production."""
    process = subprocess.Popen(
        [sys.executable, MANAGE, "run_worker"],
        env=os.environ | environment(hubspot) | {"WORKER_PROCESSES": str(number)} | (more or {}),
        cwd=settings.BASE_DIR,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def environment(hubspot: str) -> dict[str, str]:
    """A production of this benchmark's database and HubSpot."""
    return {
        "DJANGO_SETTINGS_MODULE": "hubadmin.settings",
        "ENV_FILE": "",
        "DATABASE_URL": database_url(),
        "SECRET_KEY": KEY,
        "ALLOWED_HOSTS": "localhost",
        "TRUSTED_PROXY_COUNT": "1",
        "HUBSPOT_API_BASE_URL": hubspot,
        "HUBSPOT_ACCESS_TOKEN": "sandbox",
        "HUBSPOT_CALLS_PER_10_SECONDS": str(LIMIT),
        "AUDIT_SIGNING_KEY": settings.AUDIT_SIGNING_KEY,
        "SSO_MODE": "header",
        "SSO_ISSUER": "https://proxy.example.com",
        "SSO_HEADER_SECRET": secrets.token_urlsafe(32),
        "SSO_SUPPORT_GROUPS": "support",
        "SSO_ADMIN_GROUPS": "admin",
        "LOG_LEVEL": "WARNING",
    }


def database_url() -> str:
    known = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{known['NAME']}"
    password = f":{known['PASSWORD']}" if known["PASSWORD"] else ""
    return f"postgres://{known['USER']}{password}@{known['HOST']}:{known['PORT']}/{known['NAME']}"


# --- the form meanwhile ---------------------------------------------------------------------------

PEOPLE, DELAY = 8, 0.15  # who submit again and again; seconds that each call to HubSpot takes


def form_meanwhile(rows: int, rounds: int) -> None:
    """From a submit to the page with its answer, with a run under way ÷ without; its p95 and p50.

    Neither hubadmin nor the stand-in keeps a limit here: it is about who waits for the database.
    """
    user = person()
    p50s, p95s = [], []
    with sandbox(limit=0) as hubspot, server(hubspot) as address:
        for method in ("PUT", "POST", "GET"):
            slow = {"method": method, "delay": DELAY, "times": None}
            requests.post(f"{hubspot}/_sandbox/faults", json=slow, timeout=5)
        with worker_processes(hubspot, 2, {"HUBSPOT_CALLS_PER_10_SECONDS": "0"}):
            for _ in range(rounds):
                run = services.create(
                    user=user,
                    meta=RequestMeta(),
                    name="rows.csv",
                    parts=file_of(rows),
                    way=SendMode.BATCH,
                )
                wait_for(run, RunState.READY, seconds=600)
                without = submit_times(address, lambda passed: passed < 20)
                services.start(user=user, run=run, way=SendMode.BATCH, skip_linked=False)
                begun = time.monotonic()
                during = submit_times(address, lambda passed, run=run: is_under_way(run))
                took = time.monotonic() - begun
                p50, p95 = ([percentile(each, n) for each in (during, without)] for n in (50, 95))
                print(
                    f"  run of {rows:,}: {took:.0f} s, {len(during)} submits meanwhile; p50 "
                    f"{p50[0]:.0f} / {p50[1]:.0f} ms, p95 {p95[0]:.0f} / {p95[1]:.0f} ms"
                )
                p50s.append(p50[0] / p50[1])
                p95s.append(p95[0] / p95[1])
    name = f"submit to answer page with a run under way / without, {connection.vendor}"
    print(f"{name}: p50 {statistics.median(p50s):.2f}, p95 {statistics.median(p95s):.2f}")


def is_under_way(run: BulkRun) -> bool:
    return not BulkRun.objects.filter(pk=run.pk, state=RunState.DONE).exists()


def percentile(times: list[float], number: int) -> float:
    return statistics.quantiles(times, n=100)[number - 1] * 1000


@contextmanager
def server(hubspot: str) -> Iterator[str]:
    """gunicorn under the settings of production; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        bind = f"127.0.0.1:{probe.getsockname()[1]}"
    more = {"WEB_BIND": bind, "HUBSPOT_CALLS_PER_10_SECONDS": "0"}
    more |= {"SUBMITS_PER_PERSON_PER_MINUTE": "100000", "SSO_HEADER_SECRET": SECRET}
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "python:hubadmin.gunicorn_conf"],
        env=os.environ | environment(hubspot) | more,
        cwd=settings.BASE_DIR,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_answered(f"http://{bind}/healthz")
        yield f"http://{bind}"
    finally:
        process.terminate()
        process.wait(60)


def wait_until_answered(address: str) -> None:
    for _ in range(100):
        with suppress(requests.RequestException):
            if requests.get(address, headers={"Host": "localhost"}, timeout=1).ok:
                return
        time.sleep(0.2)
    raise AssertionError(f"{address} does not answer")


SECRET = secrets.token_urlsafe(32)


class Submitter:
    """Somebody who comes by the proxy, as far as HTTP goes."""

    def __init__(self, address: str, number: int) -> None:
        self.address, self.session = address, requests.Session()
        headers = {
            "Host": "localhost",
            "Referer": "https://localhost/",
            "X-Forwarded-Proto": "https",
            "X-SSO-Secret": SECRET,
            "X-SSO-Subject": f"person-{number}",
            "X-SSO-Email": f"person-{number}@example.com",
            "X-SSO-Name": f"Person {number}",
            "X-SSO-Groups": "support",
        }
        self.session.headers.update(headers)
        page = self.get("/")
        self.token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[1]
        # They are for https; to this proxy it is.
        cookies = "; ".join(f"{each.name}={each.value}" for each in page.cookies)
        self.session.cookies.clear()
        self.session.headers["Cookie"] = cookies

    def get(self, path: str) -> requests.Response:
        return self.session.get(self.address + path, timeout=60)

    def submit(self) -> None:
        fields = LINK | {"csrfmiddlewaretoken": self.token}
        answer = self.session.post(
            self.address + "/", data=fields, timeout=60, allow_redirects=False
        )
        assert answer.status_code == 302, answer.status_code
        page = self.get(answer.headers["Location"])
        assert "linked" in page.text, page.status_code


def submit_times(address: str, goes_on: Callable[[float], bool]) -> list[float]:
    """Seconds of each submit that several people have made meanwhile."""
    times: list[float] = []
    is_over = threading.Event()

    def go_on(number: int) -> None:
        somebody = Submitter(address, number)
        while not is_over.wait(random.uniform(0, 1)):
            times.append(seconds(somebody.submit))

    threads = [threading.Thread(target=go_on, args=(number,)) for number in range(PEOPLE)]
    for thread in threads:
        thread.start()
    begun = time.monotonic()
    while goes_on(time.monotonic() - begun):
        time.sleep(0.2)
    is_over.set()
    for thread in threads:
        thread.join()
    return times


# --- parts of the two above -----------------------------------------------------------------------


def wait_for(run: BulkRun, state: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while run.state != state:
        assert time.monotonic() < deadline, (run.state, run.closed, run.queued)
        time.sleep(0.2)
        run.refresh_from_db()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bulk")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--windows", type=int, default=6, help="of ten seconds, for the ceiling")
    parser.add_argument(
        "--only", choices=["dry-run", "results", "batches", "memory", "ceiling", "adapt", "form"]
    )
    parser.add_argument("--memory-of-run", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of_run:
        name, hubspot, rows = options.memory_of_run
        print_memory_of_run(name, hubspot, int(rows))
        return
    runner = DiscoverRunner(verbosity=0, interactive=False)
    databases = runner.setup_databases()
    try:
        measure(options)
    finally:
        rate_limiter.close()
        runner.teardown_databases(databases)


def measure(options: argparse.Namespace) -> None:
    parts = {
        "dry-run": lambda: dry_run(options.rows, options.rounds),
        "results": lambda: results(options.rows, options.rounds),
        "batches": lambda: batches(options.rows, options.rounds),
        "memory": lambda: memory(options.rows),
        "ceiling": lambda: ceiling(options.windows),
        "adapt": adapt,
        "form": lambda: form_meanwhile(options.rows, options.rounds),
    }
    for name, part in parts.items():
        if options.only in (None, name):
            part()


if __name__ == "__main__":
    main()
