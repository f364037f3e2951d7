"""The faults, one after the other, and what comes of each."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.faults.failover.network import Machine
from tests.faults.failover.site import Site, within
from tests.faults.outages import (
    ATTEMPTS,
    ENTRIES,
    NOTHING_SENT,
    PUT,
    ROWS,
    Crowd,
    Seen,
    compare,
    settle,
)
from tests.faults.soak import Colleague, Told

PATIENCE = 60.0  # seconds that somebody waits for an answer
TAKEN_OVER = 20.0  # seconds after which people have to be served again, whatever has failed
RUN_SECONDS = 240.0  # the lease of a worker that is gone, and what is left of a run
DELAY = 0.3  # of each call that links, so that a run takes its time
Undo = Callable[[], object]


@dataclass(frozen=True)
class Fault:
    name: str
    make: Callable[[Site, str], Undo]  # `str` is what `find` has found, if it is asked
    seconds: float = 0  # for which it lasts; 0: until people and the run do well without it
    unplugs: bool = True  # what needs a network that can be unplugged
    is_quick: bool = False  # for each run of the tests
    find: Callable[[Site, int], str] = lambda site, run: ""  # the machine, by the run's number
    serves: bool = True  # whether the others can serve meanwhile
    starts_later: bool = False  # the run is started only once it has failed


def _booted(machine: Machine, start: Callable[[], None]) -> None:
    machine.boot()
    start()


def _web_killed(site: Site, name: str) -> Undo:
    site.machines["web-1"].kill()
    return lambda: site.start_web("web-1")


def _web_unplugged(site: Site, name: str) -> Undo:
    site.machines["web-2"].unplug()
    return site.machines["web-2"].plug_in


def _in_a_transaction(site: Site, run: int) -> str:
    """The same, in the midst of one about the run: its rows are locked."""
    name = _at_work(site, run)
    site.hold_rows(name, run)
    return name


def _at_work(site: Site, run: int) -> str:
    """The machine of a worker that sends most just now."""
    before = {name: site.machines[name].sent() for name in site.names("worker")}
    time.sleep(0.5)
    return max(before, key=lambda name: site.machines[name].sent() - before[name])


def _worker_killed(site: Site, name: str) -> Undo:
    site.machines[name].kill()
    return lambda: site.start_worker(name)


def _worker_without_power(site: Site, name: str) -> Undo:
    site.machines[name].cut_power()
    return lambda: _booted(site.machines[name], lambda: site.start_worker(name))


def _worker_unplugged(site: Site, name: str) -> Undo:
    site.machines[name].unplug()
    return site.machines[name].plug_in


def _sealer_killed(site: Site, name: str) -> Undo:
    site.machines["sealer"].kill()
    site.start_sealer()
    return lambda: None


def _redis_stopped(site: Site, name: str) -> Undo:
    site.machines["redis"].stop()
    return site.start_redis


def _redis_without_power(site: Site, name: str) -> Undo:
    site.machines["redis"].cut_power()
    return lambda: _booted(site.machines["redis"], site.start_redis)


def _postgresql_stopped(site: Site, name: str) -> Undo:
    site.cluster.stop()
    return site.cluster.start


def _postgresql_unplugged(site: Site, name: str) -> Undo:
    site.machines["postgresql"].unplug()
    return site.machines["postgresql"].plug_in


FAULTS = [
    Fault("a web machine killed (kill -9)", _web_killed, unplugs=False, is_quick=True),
    Fault("a web machine unplugged", _web_unplugged, 15),
    Fault(
        "a worker machine killed (kill -9)",
        _worker_killed,
        find=_at_work,
        unplugs=False,
        is_quick=True,
    ),
    Fault(
        "a worker machine without power, in a transaction",
        _worker_without_power,
        find=_in_a_transaction,
    ),
    Fault("a worker machine unplugged", _worker_unplugged, find=_at_work),
    Fault("the sealer killed, another started", _sealer_killed, unplugs=False),
    Fault("Redis stopped", _redis_stopped, 10, unplugs=False, starts_later=True),
    Fault("Redis without power", _redis_without_power, 10, starts_later=True),
    Fault("PostgreSQL restarted", _postgresql_stopped, 3, unplugs=False, serves=False),
    Fault("PostgreSQL unplugged", _postgresql_unplugged, 10, serves=False),
    Fault("PostgreSQL unplugged for longer", _postgresql_unplugged, 40, serves=False),
]


@dataclass
class Came:
    """What came of a fault; seconds are since it was made."""

    name: str
    lasted: float = 0
    seen: Counter[str] = field(default_factory=Counter)
    bad: float = 0  # when the last answer came that was none
    longest: float = 0  # how long somebody waited
    submitted: float | None = None  # when the first new submit was answered
    well: float | None = None  # when everybody was served
    went_on: float | None = None  # when the run did
    done: float | None = None
    sealed: float | None = None
    findings: list[str] = field(default_factory=list)

    def line(self) -> str:
        seen = ", ".join(f"{count} {what}" for what, count in sorted(self.seen.items()))
        times = {"submits answered": self.submitted, "all served": self.well}
        times |= {"run went on": self.went_on, "run done": self.done, "sealed": self.sealed}
        told = ", ".join(
            f"{what} after {seconds:.1f} s" if seconds is not None else f"{what} never"
            for what, seconds in times.items()
        )
        bad = f", the last after {self.bad:.1f} s" if self.bad else ""
        return (
            f"{self.name} ({self.lasted:.0f} s): people saw {seen or 'nothing'}{bad}; "
            f"waited {self.longest:.1f} s at most; {told}"
            + "".join(f"\n  ! {f}" for f in self.findings)
        )


class Campaign:
    def __init__(
        self, site: Site, people: int, settles: bool, say: Callable[[str], object]
    ) -> None:
        self._site, self._settles, self._say = site, settles, say
        site.sandbox.fault(method="PUT", times=None, delay=DELAY)
        self._runner = Colleague(site.server, "runner", Told())
        self._runner.patience = PATIENCE
        self._runs = 0
        with site.machines["nginx"].entered():
            self._crowd = Crowd(site, people, PATIENCE)
        assert within(60, lambda: self._crowd.is_well_since(0)), "people are not served"

    def go(self, faults: list[Fault]) -> list[str]:
        """Make them, say what came of each, and return what should not be."""
        wrong: list[str] = []
        try:
            for each in faults:
                came = self._tried(each)
                self._say(came.line())
                wrong += [f"{came.name}: {finding}" for finding in came.findings]
        finally:
            self._crowd.stop()
        if self._settles:
            settle(self._site)
        return wrong + self._judged()

    def _tried(self, fault: Fault) -> Came:
        came, site = Came(fault.name), self._site
        run = self._upload()
        closed = f"SELECT count(*) FROM {ENTRIES} WHERE run_id = {run} AND finished_at IS NOT NULL"
        if not fault.starts_later:
            self._start(run)
            assert within(60, lambda: site.sql(closed)[0][0] >= 20), "the run does not begin"
        name = fault.find(site, run)
        at = time.monotonic()
        undo = fault.make(site, name)
        if fault.starts_later:
            self._start(run)
        before = within(1, lambda: site.sql(closed)) or [(0,)]
        seals = within(1, self._seals) or 0
        marks = {
            "well": lambda: self._crowd.is_well_since(at if fault.serves else at + came.lasted),
            "went_on": lambda: site.sql(closed) > before,
            "done": lambda: self._state(run) == "done",
            "sealed": lambda: self._seals() > seals,
        }
        # What is measured has to come by itself: what has failed is away until its time is over, or
        # else until all the rest is well without it.
        is_undone, is_left = False, True
        while is_left and time.monotonic() < at + fault.seconds + RUN_SECONDS:
            if not is_undone and fault.seconds and time.monotonic() > at + fault.seconds:
                came.lasted, is_undone = time.monotonic() - at, True
                undo()
            for mark, is_so in [*marks.items()]:
                is_early = mark == "well" and not fault.serves and fault.seconds and not is_undone
                if not is_early and within(0.1, is_so):
                    setattr(came, mark, time.monotonic() - at)
                    del marks[mark]
            is_left = bool(marks) or (bool(fault.seconds) and not is_undone)
            time.sleep(0.2)
        if not is_undone:
            came.lasted = time.monotonic() - at
            undo()
        came.findings += [f"{name}: not by itself" for name in marks]
        self._note(came, at, fault)
        return came

    def _note(self, came: Came, at: float, fault: Fault) -> None:
        """What people saw."""
        since = [each for each in [*self._crowd.seen] if each.at > at]
        for each in since:
            came.longest = max(came.longest, each.seconds)
            begun = each.at - each.seconds
            if each.what == "submit" and each.is_well and begun > at and came.submitted is None:
                came.submitted = each.at - at
            if kind := _kind(each):
                came.seen[kind] += 1
                came.bad = each.at - at
        if fault.serves and came.bad > TAKEN_OVER:
            came.findings.append(f"somebody was not served after {came.bad:.1f} s")

    def _upload(self) -> int:
        with self._site.machines["nginx"].entered():
            run = self._runner.upload(self._runs * ROWS, ROWS)
            self._runs += 1
            assert within(60, lambda: self._state(run) == "ready"), "the dry run does not end"
        return run

    def _start(self, run: int) -> None:
        with self._site.machines["nginx"].entered():
            self._runner.start(run, "single")

    def _state(self, run: int) -> str:
        return self._site.sql(f"SELECT state FROM associations_bulkrun WHERE id = {run}")[0][0]

    def _seals(self) -> int:
        return self._site.sql("SELECT count(*) FROM associations_auditseal")[0][0]

    # --- in the end -------------------------------------------------------------------------------

    def _judged(self) -> list[str]:
        site = self._site
        findings = [*compare(site, self._crowd), *_of_runs(site)]
        if not self._settles:  # what was under way on a machine that is gone is closed later
            findings = [each for each in findings if not each.startswith("open")]
        taken = sum(each.is_well for each in self._crowd.seen if each.what == "submit")
        kinds = Counter(each.partition(":")[0] for each in findings)
        told = ", ".join(
            f"{kind} {kinds[kind]}" for kind in ("lost", "doubled", "untrue", "hanging")
        )
        self._say(
            f"in all: {len(self._crowd.submits)} forms of people, {taken} answers to submits, "
            f"{self._runs} runs of {ROWS} rows: {told}, open {kinds['open']}"
        )
        for command in ("seal_audit_log", "verify_audit_log"):
            code, words = site.manage(command)
            self._say(f"{command}: exit code {code}: {words[:200]}")
            if code:
                findings.append(f"{command} ends with {code}")
        return findings


def _kind(seen: Seen) -> str:
    """Of an answer that is none; empty if it is one."""
    if seen.is_well:
        return ""
    if NOTHING_SENT.search(seen.words):
        return f"{seen.status} with “nothing was sent”"
    return str(seen.status) if seen.status else seen.words


def _of_runs(site: Site) -> Iterator[str]:
    """What log and HubSpot do not agree upon about the rows of runs."""
    taken = Counter(
        PUT.search(each["path"]).groups()
        for each in site.sandbox.requests
        if each["method"] == "PUT" and each["status"] in (200, 201)
    )
    rows = site.sql(
        f"SELECT from_object_id, to_object_id, outcome, count({ATTEMPTS}.id) FROM {ENTRIES} "
        f"LEFT JOIN {ATTEMPTS} ON {ATTEMPTS}.request_id = {ENTRIES}.id "
        f"WHERE run_id IS NOT NULL GROUP BY {ENTRIES}.id"
    )
    for first, second, outcome, attempts in rows:
        puts = taken[str(first), str(second)]
        if puts > attempts:
            yield f"doubled: HubSpot took {first}, {second} {puts} times, the log has {attempts}"
        if outcome == "linked" and not puts:
            yield f"lost: the log says that {first}, {second} is linked, HubSpot has not taken it"


def tried(
    *,
    webs: int,
    workers: int,
    people: int,
    faults: list[Fault],
    say: Callable[[str], object],
    settles: bool = True,
    **more: str,
) -> list[str]:
    """Return what should not be; `more` are settings of all machines.

    Unless it `settles`, nobody waits until what was cut off has been closed by what is known.
    """
    with Site(webs, workers, more) as site:
        where = site.network.why_not or "a network namespace each"
        say(f"{webs} web machines, {workers} of workers, {people} people; {where}")
        possible = [each for each in faults if site.network.unplugs or not each.unplugs]
        for each in faults:
            if each not in possible:
                say(f"{each.name}: not made")
        return Campaign(site, people, settles, say).go(possible)
