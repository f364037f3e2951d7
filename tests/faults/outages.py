"""What people see while a machine fails, and what the log says afterwards.

`python -m tests.faults.outages` makes each outage for real, `--only NAME` one of them, while people
submit and a run goes on: a full disk (of SQLite, of PostgreSQL), a clock that jumps three hours
ahead and back, a database that crashes, a log that nobody reads, too little memory, no more file
descriptors. Whoever gets no answer, or one of the server's errors, sends the same form again.

It prints what people saw, how long it took until all was as before, what the log has of it, and
whether log, HubSpot's stand-in and what people were told agree. Exit code 1: something was lost or
doubled, somebody was told what is not so or was shown an error without a sentence, the log cannot
be sealed and proven afterwards, or it never became as before.

It takes root (small disks, PostgreSQL, a cgroup for memory) and a C compiler; what cannot be made
says so.
"""

import argparse
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

import requests

from tests.faults.breakdowns import _run as run_program
from tests.faults.broken_site import Site, _events, wait_for
from tests.faults.clock import Clock
from tests.faults.postgresql import Cluster
from tests.faults.samples import group
from tests.load.people import PATIENCE, Person
from tests.support import LINK

PEOPLE, ROWS = 6, 300
BEFORE_SECONDS, OUTAGE_SECONDS, AFTER_SECONDS = 4, 20, 60
SETTLING_SECONDS = 240  # longer than it takes until what was interrupted is closed as unknown
DELAY = 0.15  # of each call to HubSpot
# Where the stand-in's made-up records begin, of people's links and of the run.
CONTACTS, COMPANIES, RUN_CONTACTS, RUN_COMPANIES = 1_000_001, 2_000_001, 1_100_001, 2_010_001
ENTRIES, ATTEMPTS = "associations_associationrequest", "associations_associationattempt"
PUT = re.compile(r"/(\d+)/associations/default/[^/]+/(\d+)")
NOTHING_SENT = re.compile("nothing was sent", re.I)
IS_LINKED = " is now linked to "


# --- what people do, and are told -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer; the status is 0 if there was none."""

    at: float
    who: int
    what: str  # "form", "submit", "answer"
    status: int
    words: str
    seconds: float

    @property
    def is_well(self) -> bool:
        return 0 < self.status < 400


@dataclass
class Submit:
    reason: str
    pair: tuple[str, str]
    told: list[Seen] = field(default_factory=list)


def words_of(page: str, is_well: bool) -> str:
    """The title, and of an error what it says first; without numbers, as these always differ."""
    title = re.search(r"<title>(.*?)</title>", page, re.S)
    said = re.search(r'<div class="notice[^>]*>(.*?)</div>', page, re.S)
    said = said or re.search(r"<h1[^>]*>.*?</h1>(.*?)(?:</p>|</body>)", page, re.S)
    if is_well and title:
        said = None
    if not title and not said:
        return " ".join(page.split())[:120]
    texts = (re.sub("<[^>]+>", " ", each[1]) for each in (title, said) if each)
    plain = " | ".join(" ".join(unescape(each).split()) for each in texts)
    return re.sub(r"\d+", "…", plain)[:230]


class Crowd:
    """People who submit, each one form after the other, and send it again until it is taken."""

    def __init__(self, site: Site, people: int = PEOPLE, patience: float = PATIENCE) -> None:
        self._site, self._over = site, threading.Event()
        self._people, self._patience = people, patience
        self.seen: list[Seen] = []
        self.submits: list[Submit] = []
        self._threads = [
            threading.Thread(target=self._work, args=(number,)) for number in range(people)
        ]
        for each in self._threads:
            each.start()

    def stop(self) -> None:
        self._over.set()
        for each in self._threads:
            each.join()

    def is_well_since(self, since: float) -> float:
        """After how many seconds everybody's last three answers in a row were good; else 0."""
        recent: dict[int, list[Seen]] = {number: [] for number in range(self._people)}
        for each in [*self.seen]:
            if each.at > since:
                own = recent[each.who]
                own.append(each) if each.is_well else own.clear()
        if all(len(own) >= 3 for own in recent.values()):
            return max(own[0].at for own in recent.values()) - since
        return 0

    def _work(self, number: int) -> None:
        chance, done = random.Random(number), 0
        someone = Person(self._site.server, f"person-{number}")
        someone._headers["Connection"] = "close"  # as a proxy may, which keeps none
        someone.patience = self._patience
        while not self._over.is_set():
            own = number + self._people * done
            done += 1
            pair = str(CONTACTS + own), str(COMPANIES + own)
            self._submit(someone, number, Submit(f"person {number}, submit {done}", pair))
            self._over.wait(chance.uniform(0.2, 0.8))

    def _submit(self, someone: Person, number: int, it: Submit) -> None:
        fields: dict[str, str] = {}
        while not self._over.is_set() and not fields:
            page = self._ask(number, "form", lambda: someone.get("/"))
            hidden = r'type="hidden" name="(\w+)" value="([^"]*)"'
            fields = dict(re.findall(hidden, page.text)) if page is not None else {}
            if page is None or page.status_code != 200:
                fields = {}
                self._over.wait(1)
        if not fields:
            return
        fields |= LINK | {"from_object_id": it.pair[0], "to_object_id": it.pair[1]}
        fields["reason"] = it.reason
        self.submits.append(it)
        for _ in range(60):
            answer = self._ask(number, "submit", lambda: someone._ask("POST", "/", data=fields), it)
            if answer is not None and answer.is_redirect:
                where = answer.headers["Location"]
                for _ in range(60):
                    page = self._ask(number, "answer", lambda where=where: someone.get(where), it)
                    if page is not None and page.status_code == 200:
                        return
                    self._over.wait(1)
                return
            if answer is not None and answer.status_code < 500 and answer.status_code != 429:
                return
            self._over.wait(1)

    def _ask(
        self,
        number: int,
        what: str,
        ask: Callable[[], requests.Response],
        submit: Submit | None = None,
    ) -> requests.Response | None:
        answer, words, begun = None, "", time.monotonic()
        try:
            answer = ask()
            words = "→" if answer.is_redirect else words_of(answer.text, answer.status_code < 400)
        except requests.RequestException as error:
            words = "no answer: " + ("nobody listens" if "refused" in str(error) else "broken off")
            words = words if "timed out" not in str(error) else "no answer in time"
        status = answer.status_code if answer is not None else 0
        now = time.monotonic()
        seen = Seen(now, number, what, status, words, now - begun)
        self.seen.append(seen)
        if submit:
            submit.told.append(seen)
        return answer


# --- the outages ----------------------------------------------------------------------------------

Repair = Callable[[], object]
Make = Callable[[Site, ExitStack], Repair]
Build = Callable[[ExitStack], Site]


@dataclass(frozen=True)
class Outage:
    site: Build
    make: Make
    needs: tuple[str, ...]
    said: str


OUTAGES: dict[str, Outage] = {}


def outage(site: Build, *needs: str, name: str = "", said: str = "") -> Callable[[Make], Make]:
    def add(make: Make) -> Make:
        OUTAGES[name or make.__name__] = Outage(site, make, needs, said)
        return make

    return add


def lacking(needs: tuple[str, ...]) -> str:
    is_there = {"root": os.geteuid() == 0, "cgroup": CGROUPS.is_dir()}
    return ", ".join(each for each in needs if not is_there.get(each, bool(shutil.which(each))))


def usual(stack: ExitStack, environment: dict[str, str] | None = None, **more: Any) -> Site:
    """So many calls a second that a crowd and a run leave one another enough."""
    calls = {"HUBSPOT_CALLS_PER_10_SECONDS": "1000"}
    return stack.enter_context(Site(calls | (environment or {}), **more))


def small_disk(stack: ExitStack, mib: int) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="small-disk-"))
    run_program("mount", "-t", "tmpfs", "-o", f"size={mib}m", "none", str(folder))
    stack.callback(folder.rmdir)
    stack.callback(run_program, "umount", "-l", str(folder))
    return folder


def fill(folder: Path) -> Repair:
    """Leave not a byte; return what makes room again."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (2**20, 4096, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    return filler.unlink


def all_on_a_small_disk(stack: ExitStack) -> Site:
    """Database, answers that wait, what is counted and temporary files, as on one partition."""
    folder = small_disk(stack, 48)
    (folder / "tmp").mkdir()
    names = {"SPOOL_DIR": "spool", "METRICS_DIR": "metrics", "TMPDIR": "tmp"}
    changes = {name: str(folder / own) for name, own in names.items()}
    return usual(
        stack, environment=changes | {"DATABASE_URL": f"sqlite:///{folder / 'hubadmin.sqlite3'}"}
    )


@outage(all_on_a_small_disk, "root", said="all files of hubadmin on it")
def disk_full_sqlite(site: Site, stack: ExitStack) -> Repair:
    return fill(Path(site.file).parent)


def postgresql_on_a_small_disk(stack: ExitStack) -> Site:
    folder = small_disk(stack, 160)
    folder.chmod(0o755)
    sizes = "-c max_wal_size=64MB -c min_wal_size=32MB"
    return with_cluster(stack, Cluster(place=folder, options=sizes))


def with_cluster(stack: ExitStack, cluster: Cluster, **changes: str) -> Site:
    import psycopg

    stack.enter_context(cluster)
    with psycopg.connect(cluster.url.replace("/lane", "/postgres"), autocommit=True) as it:
        it.execute("CREATE DATABASE lane")
    site = usual(stack, environment={"DATABASE_URL": cluster.url} | changes)
    site.cluster = cluster
    return site


@outage(postgresql_on_a_small_disk, "root", "pg_config", said="tables and write-ahead log on it")
def disk_full_postgresql(site: Site, stack: ExitStack) -> Repair:
    empty = fill(site.cluster.data.parent.parent)

    def repair() -> None:
        empty()
        with suppress(subprocess.CalledProcessError):  # it may be up still
            site.cluster.start()

    return repair


def on_postgresql(stack: ExitStack) -> Site:
    return with_cluster(stack, Cluster())


@outage(on_postgresql, "root", "pg_config", said="killed, and started at once")
def database_crash(site: Site, stack: ExitStack) -> Repair:
    site.cluster.restart()
    time.sleep(3)
    site.cluster.restart()
    return lambda: None


@outage(on_postgresql, "root", "pg_config", said="stopped for the time")
def database_stopped(site: Site, stack: ExitStack) -> Repair:
    site.cluster.stop()
    return site.cluster.start


def with_a_clock(stack: ExitStack, on: str = "sqlite") -> Site:
    clock = stack.enter_context(Clock())
    if on == "sqlite":
        site = usual(stack, environment=clock.environment)
    else:
        cluster = Cluster(**clock.environment)
        site = with_cluster(stack, cluster, **clock.environment)
    site.clock = clock
    return site


@outage(with_a_clock, "cc", said="all processes of hubadmin")
def clock_ahead_and_back_sqlite(site: Site, stack: ExitStack) -> Repair:
    site.clock.be_ahead(3 * 60 * 60)
    return lambda: site.clock.be_ahead(0)


OUTAGES["clock_ahead_and_back_postgresql"] = Outage(
    lambda stack: with_a_clock(stack, "postgresql"),
    clock_ahead_and_back_sqlite,
    ("root", "pg_config", "cc"),
    "all processes of hubadmin, and PostgreSQL's",
)


class Pipe:
    """Where all processes write their log; read, but for the time that it is not."""

    def __init__(self, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="log-")))
        self.path = folder / "log"
        os.mkfifo(self.path)
        self._pipe = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)
        stack.callback(os.close, self._pipe)
        self.text, self._reads, self._over = b"", threading.Event(), threading.Event()
        self._reads.set()
        thread = threading.Thread(target=self._read, daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(self._over.set)

    def block(self) -> None:
        self._reads.clear()

    def drain(self) -> None:
        self._reads.set()

    def _read(self) -> None:
        while not self._over.is_set():
            try:
                if self._reads.is_set():
                    self.text += os.read(self._pipe, 65536)
                    continue
            except BlockingIOError:
                pass
            time.sleep(0.05)


def with_a_log_pipe(stack: ExitStack) -> Site:
    pipe = Pipe(stack)
    shell = ("sh", "-c", f'exec "$@" >{pipe.path} 2>&1', "sh")
    site = usual(stack, everywhere=shell, environment={"LOG_LEVEL": "DEBUG"})
    site.pipe = pipe
    return site


@outage(with_a_log_pipe, said="of server, worker and sealer, at LOG_LEVEL=DEBUG")
def log_pipe_blocked(site: Site, stack: ExitStack) -> Repair:
    site.pipe.block()
    return site.pipe.drain


CGROUPS = Path("/sys/fs/cgroup/memory")
HOG = """
import sys, time
kept, most = [], int(sys.argv[1]) * 2**20
open("/proc/self/oom_score_adj", "w").write("-1000")
open(sys.argv[2] + "/cgroup.procs", "w").write("0")
while True:
    try:
        if len(kept) < most // 2**19:
            kept.append(b"x" * 2**19)
    except MemoryError:
        pass
    time.sleep(0.01)
"""


@outage(usual, "root", "cgroup", said="a cgroup of the server's; somebody else in it takes it all")
def memory_limit(site: Site, stack: ExitStack) -> Repair:
    """The kernel ends processes of the server (SIGKILL), which starts others by itself."""
    cgroup = CGROUPS / f"hubadmin-{os.getpid()}-{time.monotonic_ns()}"
    cgroup.mkdir()

    def leave() -> None:
        for each in (cgroup / "cgroup.procs").read_text().split():
            with suppress(OSError):
                (CGROUPS / "cgroup.procs").write_text(each)
        wait_for(lambda: not (cgroup / "cgroup.procs").read_text())
        cgroup.rmdir()

    stack.callback(leave)
    # What is there already is counted where it was: so those that are started from now on fall.
    own = [*group(site.server.pid), *group(site.worker.pid)]
    for each in own:
        (cgroup / "cgroup.procs").write_text(str(each))
    for each in group(site.server.pid)[1:]:
        os.kill(each, signal.SIGTERM)  # in order: gunicorn starts another, in the cgroup
    time.sleep(5)
    used = int((cgroup / "memory.usage_in_bytes").read_text()) // 2**20
    limit = used + 48
    (cgroup / "memory.limit_in_bytes").write_text(f"{limit}M")
    hog = subprocess.Popen([sys.executable, "-c", HOG, f"{limit + 1}", str(cgroup)])
    stack.callback(hog.wait)
    stack.callback(hog.kill)

    def repair() -> None:
        hog.kill()
        hog.wait()
        (cgroup / "memory.limit_in_bytes").write_text("-1")
        killed = re.search(r"oom_kill (\d+)", (cgroup / "memory.oom_control").read_text())
        site.said = f"limit {limit} MiB, {killed[1] if killed else '?'} processes killed"

    return repair


class Supervisor:
    """As systemd does (`Restart=always`): starts again what has ended, after two seconds."""

    def __init__(self, site: Site) -> None:
        self._site, self._over, self.ended = site, threading.Event(), Counter[str]()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        site = self._site
        while not self._over.wait(2):
            for name, process, start in (
                ("server", site.server._process, lambda: site.server._start(site.server._stack)),
                ("worker", site.worker, site.start_worker),
                ("sealer", site.sealer, site.start_sealer),
            ):
                if process._process.poll() is None:
                    continue
                self.ended[f"{name} (code {process._process.returncode})"] += 1
                site.said_before += process.output()
                with suppress(AssertionError):  # it ends at once: the next round starts it again
                    start()


@outage(usual, said="of the server's processes: one more than they had open")
def file_descriptors(site: Site, stack: ExitStack) -> Repair:
    before: dict[int, tuple[int, int]] = {}
    for pid in group(site.server.pid):
        used = len([*Path(f"/proc/{pid}/fd").iterdir()])
        before[pid] = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 1, before[pid][1]))

    def repair() -> None:
        (limits, *_) = before.values()
        for pid in group(site.server.pid):
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)

    return repair


# --- the whole ------------------------------------------------------------------------------------


@dataclass
class Found:
    name: str
    said: str = ""
    back: float = 0
    seen: Counter[str] = field(default_factory=Counter)
    log: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    proofs: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    submits: int = 0

    def count(self, kind: str) -> int:
        return sum(each.startswith(kind) for each in self.findings)

    def tell(self) -> None:
        back = f"{self.back:.1f} s" if self.back else "never"
        numbers = ", ".join(f"{each} {self.count(each)}" for each in ("lost", "doubled", "untrue"))
        print(f"\n{self.name} ({self.said})")
        print(f"  submits {self.submits}: {numbers}; back to normal after {back}")
        for title, counted in (
            ("people saw, from the outage on", self.seen),
            ("the log of the processes, from WARNING on", self.log),
            ("the audit log", self.outcomes),
        ):
            print(f"  {title}:")
            for words, count in counted.most_common(12):
                print(f"    {count:5} {words}")
        for each in self.proofs:
            print(f"  {each}")
        for each in self.findings[:12]:
            print(f"  ! {each}")
        print(end="", flush=True)


def tried(name: str) -> Found:
    it = OUTAGES[name]
    found = Found(name, it.said)
    if missing := lacking(it.needs):
        found.said = f"not made: it takes {missing}"
        return found
    with ExitStack() as stack:
        site = it.site(stack)
        site.said = site.said_before = ""
        site.sandbox.fault(method="PUT", times=None, delay=DELAY)
        run = site.upload(ROWS, start=False, first=(RUN_CONTACTS, RUN_COMPANIES))
        lines = len(_log(site))
        crowd = Crowd(site)
        stack.callback(crowd.stop)
        site.visitor.post(f"{run}start/", data={"way": "single"})
        time.sleep(BEFORE_SECONDS)
        supervisor = Supervisor(site)
        stack.callback(supervisor.stop)
        outage_at = time.monotonic()
        repair = it.make(site, stack)
        time.sleep(OUTAGE_SECONDS)
        repair()
        repaired_at = time.monotonic()
        with suppress(AssertionError):
            found.back = wait_for(lambda: crowd.is_well_since(repaired_at), AFTER_SECONDS)
        time.sleep(3)
        crowd.stop()
        found.said += f"; {site.said}" if site.said else ""
        for each in crowd.seen:
            if each.at > outage_at:
                found.seen[f"{each.what} {each.status} {each.words}"] += 1
                if each.status >= 500 and not is_a_sentence(each.words):
                    found.findings.append(f"no sentence: {each}")
        found.submits = len(crowd.submits)
        settle(site)
        supervisor.stop()
        found.said += f"; ended: {dict(supervisor.ended)}" if supervisor.ended else ""
        found.findings += [*compare(site, crowd)]
        prove(site, found)
        found.log = Counter(each for each in _log(site)[lines:] if _is_loud(each))
    if not found.back:
        found.findings.append("never back to normal")
    return found


def is_a_sentence(words: str) -> bool:
    """Whether it says more than the name of a status."""
    return len(words.split()) > 4


def _is_loud(line: str) -> bool:
    return any(f" {level} " in line for level in ("warning", "error", "critical"))


def _log(site: Site) -> list[str]:
    if pipe := getattr(site, "pipe", None):
        return [*_events(pipe.text.decode(errors="replace"))]
    return [*_events(site.said_before), *site.log()]


def settle(site: Site) -> None:
    """Until what was begun has ended: what was interrupted is closed by what is known."""
    site.sandbox.faults.clear()
    going = "SELECT count(*) FROM associations_bulkrun WHERE state IN ('running', 'reading')"
    opened = f"SELECT count(*) FROM {ENTRIES} WHERE outcome IN ('queued', 'sending') OR look_due"
    for each in (going, opened):
        with suppress(AssertionError):
            wait_for(lambda each=each: site.sql(each) == [(0,)], SETTLING_SECONDS)


def compare(site: Site, crowd: Crowd) -> Iterator[str]:
    """What the log, HubSpot's stand-in and people do not agree upon."""
    taken = Counter[tuple[str, str]]()
    for each in site.sandbox.requests:
        if each["method"] == "PUT" and each["status"] in (200, 201):
            taken[PUT.search(each["path"]).groups()] += 1
    rows = site.sql(
        f"SELECT reason, from_object_id, to_object_id, outcome, cause, run_id FROM {ENTRIES}"
    )
    entries: dict[str, list[str]] = {}
    of_run = Counter[tuple[str, str]]()
    cut_off = Counter[str]()  # of which the log says that HubSpot may have taken it
    for reason, first, second, outcome, cause, run in rows:
        cut_off[reason] += outcome == "sending" or cause == "interrupted"
        if outcome in ("queued", "sending"):
            yield f"open: {reason or (first, second)} is {outcome}"
        if run:
            of_run[str(first), str(second)] += 1
        else:
            entries.setdefault(reason, []).append(outcome)
    attempts = dict(
        site.sql(
            f"SELECT reason, count(*) FROM {ENTRIES} JOIN {ATTEMPTS} "
            f"ON {ATTEMPTS}.request_id = {ENTRIES}.id GROUP BY reason"
        )
    )
    for it in crowd.submits:
        own, puts = entries.get(it.reason, []), taken[it.pair]
        told = " / ".join(f"{each.status} {each.words}" for each in it.told)
        if len(own) > 1 or puts > attempts.get(it.reason, 0) + cut_off[it.reason]:
            yield f"doubled: {it.reason}: entries {own}, taken {puts} times; told {told}"
        if puts and not own:
            yield f"lost: HubSpot took {it.reason}, the log does not know it; told {told}"
        if "linked" in own and not puts:
            yield f"untrue: the log says {it.reason} is linked, HubSpot has not taken it"
        if any(each.what == "answer" and each.status == 200 for each in it.told) and not own:
            yield f"lost: {it.reason} was answered, the log does not know it; told {told}"
        only_nothing = it.told and all(NOTHING_SENT.search(each.words) for each in it.told)
        if only_nothing and puts:
            yield f"untrue: {it.reason} was told that nothing was sent, HubSpot took it"
        is_told_linked = any(IS_LINKED in each.words for each in it.told)
        if is_told_linked and (not puts or own != ["linked"]):
            yield f"untrue: {it.reason} was told it is linked: entries {own}, taken {puts}"
    yield from _of_the_run(site, of_run, taken)


def _of_the_run(
    site: Site, of_run: Counter[tuple[str, str]], taken: Counter[tuple[str, str]]
) -> Iterator[str]:
    states = site.sql("SELECT id, state FROM associations_bulkrun")
    for run, state in states:
        if state != "done":
            yield f"hanging: run {run} is {state}"
    for pair, count in of_run.items():
        if count > 1:
            yield f"doubled: {pair} of the run has {count} entries"
    if len(of_run) != ROWS * len(states):
        yield f"lost: {ROWS * len(states) - len(of_run)} rows of the runs have no entry"


def prove(site: Site, found: Found) -> None:
    for outcome, cause, of_run, count in site.sql(
        f"SELECT outcome, cause, run_id IS NOT NULL, count(*) FROM {ENTRIES} GROUP BY 1, 2, 3"
    ):
        kind = "rows of the run" if of_run else "submits"
        found.outcomes[f"{kind}: {outcome} ({cause})"] += count
    for command in ("seal_audit_log", "verify_audit_log"):
        done = subprocess.run(
            [sys.executable, "manage.py", command],
            env=site.server.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        words = " ".join((done.stdout or done.stderr).split())
        found.proofs.append(f"{command}: exit code {done.returncode}: {words[:400]}")
        if done.returncode and not (hasattr(site, "clock") and says_only_when(words)):
            found.findings.append(f"{command} ends with {done.returncode}: {words[:300]}")
    ready = site.readyz()
    found.proofs.append(f"readyz: {ready}")
    if '"status": "ok"' not in ready:
        found.findings.append(f"readyz: {ready}")


def says_only_when(words: str) -> bool:
    """Whether nothing but the time of something is not proven: its clock was wrong, as it says."""
    return "was dated ahead" in words and not re.search("altered|gone|inserted|rewritten", words)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=[*OUTAGES], default=[])
    options = parser.parse_args()
    wrong = 0
    for name in options.only or OUTAGES:
        try:
            found = tried(name)
        except Exception as error:  # it could not be made, or not repaired: the others can
            found = Found(name, f"{type(error).__name__}: {str(error)[-600:]}")
            found.findings.append("not made")
        found.tell()
        wrong += bool(found.findings)
    print(f"\n{wrong} with findings")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
