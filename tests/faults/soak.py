"""An hour of everybody's work: `python -m tests.faults.soak --minutes 60 --people 20`.

Server, worker and sealer as in production, HubSpot's stand-in, and on PostgreSQL (one of its own)
the two roles of `hubadmin/deploy/`. People open the form, have it show two records, submit, read
the answer and their lists; every few minutes they begin a new session. An admin filters and
exports, somebody uploads a file of 500 rows every few minutes, and a backup is made every ten.

Every ten seconds it is written down what the processes of each service take. In the end it prints
how much that grows an hour, by least squares over the last three quarters of the time; whether
anybody saw a 5xx; and whether the log, HubSpot, the site's own metrics and people agree.
Exit code 1: something was lost or doubled, a 5xx came, something was not proven, or something grew
by more than a twentieth an hour (this is judged of half an hour or more).
"""

import argparse
import csv
import os
import random
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import astuple, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

import psycopg
import requests

from hubadmin.demo.sandbox import Sandbox
from tests.associations.audit.integrity.serving import run_the_script
from tests.demo import MANAGE
from tests.faults.broken_site import TOKEN, wait_for
from tests.faults.postgresql import Cluster
from tests.faults.samples import WHAT, Samples, trend
from tests.hubadmin.deploy.nginx import Nginx
from tests.identity.processes import Process
from tests.identity.server import Server
from tests.load.people import BY_HEADER, Person
from tests.support import LINK, warm_up

SAMPLE_SECONDS, RUN_SECONDS, BACKUP_SECONDS = 10, 240, 600
SESSION_SECONDS = 300  # until somebody begins a new one
ROWS = 500
JUDGED_MINUTES = 30
# Where the stand-in's made-up records begin, of people's links and of runs.
CONTACTS, COMPANIES, RUN_CONTACTS, RUN_COMPANIES = 1_000_001, 2_000_001, 1_100_001, 2_010_001
PUT = re.compile(r"/(\d+)/associations/default/[^/]+/(\d+)")
ENTRIES, ATTEMPTS = "associations_associationrequest", "associations_associationattempt"


@dataclass
class Told:
    """What all of them met."""

    statuses: Counter[str] = field(default_factory=Counter)  # "GET /requests/ 200"
    submits: dict[str, str] = field(default_factory=dict)  # by reason: where it led to
    lost: list[str] = field(default_factory=list)  # requests without an answer
    runs: list[int] = field(default_factory=list)
    backups: list[tuple[float, str]] = field(default_factory=list)  # seconds, the last words
    errors: list[str] = field(default_factory=list)


class Colleague(Person):
    """Somebody whose every answer is counted."""

    patience = 60.0

    def __init__(
        self, server: Server | Nginx, name: str, told: Told, group: str = "support"
    ) -> None:
        super().__init__(server, name, group)
        self.name, self._told = name, told

    def _ask(
        self, method: str, path: str, *, hx: bool = False, **options: object
    ) -> requests.Response:
        plain = re.sub(r"\d+", "…", path.partition("?")[0])
        try:
            answer = super()._ask(method, path, hx=hx, **options)
        except requests.RequestException as error:
            self._told.lost.append(f"{method} {plain}: {error}")
            raise
        self._told.statuses[f"{method} {plain} {answer.status_code}"] += 1
        return answer

    def new_session(self) -> None:
        self._cookies.clear()
        self._hidden.clear()
        self.get("/")

    def link(self, pair: tuple[int, int], reason: str, pause: Callable[[], None]) -> None:
        """Form, preview, submit, answer."""
        self._hidden = self._hidden_now()
        ids = {"from_object_id": str(pair[0]), "to_object_id": str(pair[1])}
        pause()
        self._ask("POST", "/preview/", data=LINK | self._hidden | ids, hx=True)
        pause()
        answer = self._ask("POST", "/", data=LINK | self._hidden | ids | {"reason": reason})
        self._told.submits[reason] = answer.headers.get("Location", f"{answer.status_code}")
        if answer.is_redirect:
            self.get(answer.headers["Location"])

    def upload(self, first: int, rows: int) -> int:
        """The id of a run of so many pairs."""
        token = self._hidden_now()["csrfmiddlewaretoken"]
        numbers = range(first, first + rows)
        pairs = "".join(f"{RUN_CONTACTS + n},{RUN_COMPANIES + n}\n" for n in numbers)
        file = {"file": ("pairs.csv", f"contact id,company id\n{pairs}")}
        answer = self._ask("POST", "/bulk/", data={"csrfmiddlewaretoken": token}, files=file)
        return int(answer.headers["Location"].strip("/").rsplit("/", 1)[1])

    def start(self, run: int, way: str = "batch") -> None:
        token = self._hidden_now()["csrfmiddlewaretoken"]
        fields = {"csrfmiddlewaretoken": token, "way": way}
        self._ask("POST", f"/bulk/{run}/start/", data=fields)


class Serving(Server):
    """On a database that its owner has migrated."""

    def _make_database(self, folder: Path) -> None:
        if "DATABASE_URL" not in self._changes:
            super()._make_database(folder)


@dataclass
class Database:
    serving: str = ""  # its address for those who serve; nothing: a file of the server's own
    owner: str = ""
    checker: str = ""  # of a role that may make databases, and nothing else


@contextmanager
def postgresql() -> Iterator[Database]:
    """A server of its own, with the roles that administrators make."""
    with Cluster() as cluster:
        address = f"postgres://{{}}@127.0.0.1:{cluster.port}/{{}}"
        everybody = address.format("postgres", "postgres")
        database = Database(
            address.format("hubadmin", "hubadmin"),
            address.format("hubadmin_owner", "hubadmin"),
            address.format("hubadmin_check", "postgres"),
        )
        run_the_script(everybody, "hubadmin")
        environment = {"DATABASE_URL": database.owner, "ENV_FILE": "", "SECRET_KEY": "x" * 50}
        subprocess.run(
            [sys.executable, str(MANAGE), "migrate", "--verbosity", "0"],
            env={"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "hubadmin.settings"}
            | environment,
            check=True,
        )
        run_the_script(address.format("postgres", "hubadmin"), "hubadmin")
        with psycopg.connect(everybody, autocommit=True) as it:
            it.execute("CREATE ROLE hubadmin_check LOGIN CREATEDB")
        yield database


@dataclass
class Soak:
    server: Server
    database: Database
    sandbox: Sandbox
    samples: Samples
    place: Path  # of the backups
    end: float
    told: Told = field(default_factory=Told)

    def is_over(self, seconds: float = 0) -> bool:
        """Wait so long, or until the end."""
        time.sleep(max(0, min(seconds, self.end - time.monotonic())))
        return time.monotonic() >= self.end

    # --- who does what ----------------------------------------------------------------------------

    def work(self, number: int, people: int) -> None:
        """Somebody with tickets; what comes of each is counted."""
        chance = random.Random(number)
        someone = Colleague(self.server, f"person-{number}", self.told)
        begun, done = time.monotonic(), 0

        def pause() -> None:
            time.sleep(chance.uniform(0.3, 2.5))

        someone.new_session()
        while not self.is_over(chance.uniform(1, 6)):
            if time.monotonic() - begun > SESSION_SECONDS:
                someone.new_session()
                begun = time.monotonic()
            with suppress(requests.RequestException):
                own = number + people * done  # nobody else has that pair, and each is another one
                pair = CONTACTS + own, COMPANIES + own % 10_000
                done += 1
                someone.link(pair, f"person {number}, submit {done}", pause)
                if chance.random() < 0.4:
                    pause()
                    found = re.search(r'href="(/requests/\d+/)"', someone.get("/requests/").text)
                    if found:
                        pause()
                        someone.get(found[1])

    def administer(self) -> None:
        admin, turn = Colleague(self.server, "admin", self.told, "admin"), 0
        pages = ["/audit/", "/audit/?outcome=linked", "/audit/?q=person-3", "/audit/figures/"]
        pages += ["/status/", "/audit/integrity/", "/bulk/", "/audit/events/"]
        while not self.is_over(6):
            turn += 1
            with suppress(requests.RequestException):
                admin.get(pages[turn % len(pages)])
                if turn % 10 == 0:
                    admin.get(f"/audit/export.{random.choice(('csv', 'jsonl'))}")

    def run_files(self) -> None:
        someone = Colleague(self.server, "runner", self.told)
        while True:
            first = len(self.told.runs) * ROWS % 10_000
            with suppress(requests.RequestException, KeyError, AssertionError):
                run = someone.upload(first, ROWS)
                state = f"SELECT state FROM associations_bulkrun WHERE id = {run}"
                wait_for(lambda state=state: self.sql(state) == [("ready",)])
                someone.start(run)
                self.told.runs.append(run)
            if self.is_over(min(RUN_SECONDS, (self.end - time.monotonic()) / 3 + 1)):
                return

    def back_up(self) -> None:
        while not self.is_over(min(BACKUP_SECONDS, max(5, (self.end - time.monotonic()) / 2))):
            begun = time.monotonic()
            done = self.manage("backup", str(self.place), DATABASE_URL=self.database.owner)
            words = (done.stdout + done.stderr).strip() or f"exit code {done.returncode}"
            self.told.backups.append((time.monotonic() - begun, words.splitlines()[0]))
            if done.returncode:
                self.told.errors.append(words)

    def watch(self) -> None:
        while not self.is_over(SAMPLE_SECONDS):
            self.samples.take()

    def live(self, people: int) -> None:
        works: list[Callable[[], None]] = [
            *(lambda number=number: self.work(number, people) for number in range(people)),
            *(self.administer, self.run_files, self.back_up, self.watch),
        ]
        threads = [threading.Thread(target=self._kept, args=(each,)) for each in works]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    def _kept(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self.told.errors.append(f"{type(error).__name__}: {error}")
            raise

    # --- what there is afterwards -----------------------------------------------------------------

    def manage(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in changes.items() if value}
        return subprocess.run(
            [sys.executable, str(MANAGE), *arguments],
            env=self.server.environment | kept,
            capture_output=True,
            text=True,
            timeout=600,
        )

    def sql(self, statement: str) -> list[tuple]:

        url = self.server.environment["DATABASE_URL"]
        if url.startswith("postgres:"):
            with psycopg.connect(url) as it:
                return it.execute(statement).fetchall()
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30)) as it:
            return it.execute(statement).fetchall()

    def settle(self) -> None:
        """Until all that was begun has ended, and is sealed."""
        going = "SELECT count(*) FROM associations_bulkrun WHERE state NOT IN ('done', 'ready')"
        open_ones = f"SELECT count(*) FROM {ENTRIES} WHERE outcome IN ('queued', 'sending')"
        due = f"SELECT count(*) FROM {ENTRIES} WHERE look_due"
        for each in (going, open_ones, due):
            with suppress(AssertionError):
                wait_for(lambda each=each: self.sql(each) == [(0,)], 300)

    def findings(self) -> Iterator[str]:
        """What people, the log and HubSpot do not agree upon."""
        reasons = Counter(reason for (reason,) in self.sql(f"SELECT reason FROM {ENTRIES}"))
        told = self.told.submits
        for reason, where in told.items():
            if not reasons[reason]:
                yield f"lost: {reason}, which led to {where}"
        for reason, count in reasons.items():
            if reason.startswith("person ") and count > 1:
                yield f"doubled: {reason} has {count} entries"
        # What it did not answer in time is sent once more: an attempt each, whatever came of it.
        by_pair = {
            (str(first), str(second)): (outcome, attempts)
            for first, second, outcome, attempts in self.sql(
                f"SELECT from_object_id, to_object_id, outcome, count({ATTEMPTS}.id) "
                f"FROM {ENTRIES} LEFT JOIN {ATTEMPTS} ON {ATTEMPTS}.request_id = {ENTRIES}.id "
                f"WHERE run_id IS NULL GROUP BY {ENTRIES}.id"
            )
        }
        journal = [each for each in self.sandbox.requests if each["status"] in (200, 201)]
        puts = Counter(PUT.search(each["path"]).groups() for each in journal if _is_put(each))
        for pair, count in puts.items():
            if count > by_pair.get(pair, ("", 0))[1]:
                yield f"doubled: HubSpot took {pair} {count} times, the log has {by_pair.get(pair)}"
        for pair, (outcome, _) in by_pair.items():
            if outcome == "linked" and not puts[pair]:
                yield f"lost: the log says that {pair} is linked, HubSpot has not taken it"
        sent = sum(
            each["method"] == "POST" and "/batch/associate" in each["path"]
            for each in self.sandbox.requests
        )
        ((batches,),) = self.sql("SELECT count(*) FROM associations_associationbatch")
        if sent != batches:
            yield f"the log has {batches} batches, HubSpot {sent}"
        ((rows,),) = self.sql(
            f"SELECT count(*) FROM {ENTRIES} WHERE run_id IS NOT NULL AND outcome = 'linked'"
        )
        if rows != len(self.told.runs) * ROWS:
            yield f"{rows} rows of runs are linked, not {len(self.told.runs) * ROWS}"

    def metrics(self) -> Counter[str]:
        """The site's own: sums by name, with the class of the status of requests."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Host": "localhost"}
        url = f"http://127.0.0.1:{self.server.port}/metrics"
        found = Counter[str]()
        for line in requests.get(url, headers=headers, timeout=15).text.splitlines():
            if sample := re.fullmatch(r"hubadmin_(\w+)(?:\{(.*)\})? ([0-9.e+-]+)", line):
                name, labels, value = sample.groups()
                kind = re.search(r'(?:status|outcome)="(\w+)"', labels or "")
                found[f"{name} {kind[1]}" if kind else name] += float(value)
        return found


def _is_put(each: dict) -> bool:
    return each["method"] == "PUT" and bool(PUT.search(each["path"]))


def tell(soak: Soak, minutes: float) -> int:
    """Print it all; return how much of it should not be."""
    told, wrong = soak.told, 0
    shown = Counter[str]()
    for each, count in told.statuses.items():
        shown[each.rsplit(" ", 1)[1]] += count
    print(f"answers: {dict(sorted(shown.items()))}; without one: {len(told.lost)}")
    for each in sorted(told.statuses):
        if each[-3] == "5" or each[-3:] == "429":
            print(f"  {told.statuses[each]:6} {each}")
    server_errors = sum(count for status, count in shown.items() if status[0] == "5")
    print(f"5xx {server_errors}")
    wrong += server_errors + len(told.lost) + len(told.errors)
    for each in [*told.lost, *told.errors][:20]:
        print(f"  ! {each}")

    outcomes = soak.sql(
        f"SELECT run_id IS NOT NULL, outcome, cause, count(*) FROM {ENTRIES} GROUP BY 1, 2, 3"
    )
    for of_run, outcome, cause, count in sorted(outcomes, key=str):
        print(f"  {'rows of runs' if of_run else 'submits'}: {outcome} ({cause}) {count}")
    findings = [*soak.findings()]
    lost = sum(each.startswith("lost") for each in findings)
    doubled = sum(each.startswith("doubled") for each in findings)
    print(f"submits {len(told.submits)}, runs {len(told.runs)}: lost {lost}, doubled {doubled}")
    for each in findings[:20]:
        print(f"  ! {each}")
    wrong += len(findings)

    found = soak.metrics()
    ((linked,),) = soak.sql(f"SELECT count(*) FROM {ENTRIES} WHERE outcome = 'linked'")
    print(
        f"metrics: linked {found['requests_total linked']:.0f} (the log: {linked}), "
        f"5xx {found['http_requests_total 5xx']:.0f}, "
        f"lines dropped {found['log_lines_dropped_total']:.0f}"
    )
    wrong += found["requests_total linked"] != linked or found["http_requests_total 5xx"] != 0

    soak.manage("seal_audit_log")
    for name, done in (("verify_audit_log", soak.manage("verify_audit_log")), _checked(soak)):
        words = (done.stdout + done.stderr).strip().splitlines()
        print(f"{name}: exit code {done.returncode}: {words[0] if words else ''}")
        wrong += done.returncode != 0
    for seconds, words in told.backups:
        print(f"  backup, {seconds:.1f} s: {re.sub('^.*/', '', words)}")
    return wrong + _tell_trends(soak.samples, minutes)


def _checked(soak: Soak) -> tuple[str, subprocess.CompletedProcess[str]]:
    newest = max(soak.place.glob("[!.]*"), default=soak.place / "none")
    environment = {"DATABASE_URL": soak.database.checker}
    return "check_backup of the last", soak.manage("check_backup", str(newest), **environment)


def _tell_trends(samples: Samples, minutes: float) -> int:
    wrong = 0
    print(f"{'service':9}{'takes':14}{'mean':>9}{'slope/h':>9}{'first':>9}{'last':>9}")
    for name in samples.leaders:
        for what in WHAT:
            it = trend(samples.series(name, what, since=1 / 4))
            is_flat = it.is_flat or minutes < JUDGED_MINUTES
            wrong += not is_flat
            numbers = "".join(f"{each:9.2f}" for each in (it.mean, it.slope, it.first, it.last))
            print(f"{name:9}{what:14}{numbers}{'' if is_flat else '  !'}")
        counts = samples.counts[name]
        print(f"{name:9}{min(counts)} to {max(counts)} processes, ", end="")
        print(f"the largest {samples.largest[name]:.0f} MiB")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--samples", type=Path, help="write all samples to this file, as CSV")
    options = parser.parse_args()
    with ExitStack() as stack:
        soak = _started(stack, options.database, options.minutes)
        print(f"started; {options.minutes:g} minutes, {options.people} people", flush=True)
        begun = os.times()
        soak.live(options.people)
        soak.settle()
        wrong = tell(soak, options.minutes)
        spent = os.times()
        print(f"the people themselves: {spent.user - begun.user:.0f} s CPU")
        if options.samples:
            with options.samples.open("w", newline="") as file:
                for at, name, row in soak.samples.rows:
                    csv.writer(file).writerow([f"{at:.1f}", name, *astuple(row)])
    print("all as it should be" if not wrong else f"{wrong} that should not be")
    return int(wrong > 0)


def _started(stack: ExitStack, kind: str, minutes: float) -> Soak:
    place = Path(stack.enter_context(TemporaryDirectory(prefix="soak-")))
    backups = place / "backups"
    backups.mkdir(mode=0o700)
    sandbox = stack.enter_context(Sandbox(rate_limit=190, keep_requests=1_000_000))
    warm_up(sandbox.url)
    on = postgresql() if kind == "postgresql" else None
    database = stack.enter_context(on) if on else Database()
    settings = {
        "HUBSPOT_API_VERSION": "2026-09",
        "METRICS_TOKEN": TOKEN,
        "METRICS_DIR": str(place / "metrics"),
        "SPOOL_DIR": str(place / "spool"),
        **BY_HEADER,
    }
    if database.serving:
        settings["DATABASE_URL"] = database.serving
    server = stack.enter_context(Serving(sandbox.url, **settings))
    url = server.environment["DATABASE_URL"]
    if not database.checker:
        database.checker = f"sqlite:///{place / 'nobody.sqlite3'}"
    leaders = {"web": server.pid}
    commands = {"worker": ["run_worker"], "sealer": ["seal_audit_log", "--every", "60"]}
    for name, arguments in commands.items():
        command = [sys.executable, str(MANAGE), *arguments]
        leaders[name] = stack.enter_context(Process(command, env=server.environment)).pid
    of = int(re.search(r":(\d+)/", url)[1]) if database.serving else url.removeprefix("sqlite:///")
    samples = Samples(leaders, of)
    return Soak(server, database, sandbox, samples, backups, time.monotonic() + minutes * 60)


if __name__ == "__main__":
    sys.exit(main())
