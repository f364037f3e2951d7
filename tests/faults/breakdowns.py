"""What breaks is seen: each breakdown made for real, and who notices it within a minute.

`python -m tests.faults.breakdowns` breaks a running site in each way, `--only NAME` in one, and
prints where it showed and after how many seconds: by a notice, in `manage.py status --json`, in
`/metrics`, by `/readyz`, in the log. Then it is repaired; where it is something that lasts, a
notice has to say that it is over (the fifteen quiet minutes before that are skipped).
`--quiet-minutes N` breaks nothing, uses the site as people do, and counts false alarms.

Some need root (a small disk by tmpfs, PostgreSQL), faketime, or a C compiler (a wrong clock).
"""

import argparse
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
import requests

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from tests.faults.broken_site import Samples, Signs, Site, Watcher, kill, of, wait_for
from tests.faults.clock import Clock
from tests.faults.postgresql import Cluster
from tests.identity.hostile import DISCOVERY, HostileProvider
from tests.identity.server import Server

SECONDS = 60
WANTED = 2  # of the five, at least
COLUMNS = ("notice", "status", "metrics", "readyz", "log")
TOKEN_REFUSED = {"status": 401, "times": None}
SCOPES = {
    "status": 403,
    "times": None,
    "body": {
        "status": "error",
        "category": "MISSING_SCOPES",
        "message": "The scope needed for this API call isn't available.",
        "errors": [
            {"message": "y", "context": {"requiredGranularScopes": ["crm.objects.contacts.write"]}}
        ],
    },
}


def grown(name: str, **labels: str) -> Callable[[Samples, Samples], bool]:
    """Whether the sum of the samples with these labels has grown."""

    def total(found: Samples) -> float:
        wanted = set(labels.items())
        return sum(
            value
            for (key, own), value in found.items()
            if key == f"hubadmin_{name}" and wanted <= own
        )

    return lambda before, now: total(now) > total(before)


def becomes(name: str, value: float, **labels: str) -> Callable[[Samples, Samples], bool]:
    return lambda before, now: (
        now.get(of(name, **labels)) == value != before.get(of(name, **labels))
    )


def older(name: str, seconds: float) -> Callable[[Samples, Samples], bool]:
    """Whether this moment is further back than that, as an alert rule counts."""
    return lambda before, now: time.time() - now.get(of(name), time.time()) > seconds


def missing(name: str) -> Callable[[Samples, Samples], bool]:
    return lambda before, now: of(name) in before and of(name) not in now


SERVER_ERRORS = grown("http_requests_total", status="5xx")


@dataclass
class Broken:
    """One that has been made: `repair` ends it; `ends` says whether a notice tells of the end."""

    signs: Signs
    repair: Callable[[], object] = lambda: None
    use: Callable[[], object] | None = None
    ends: bool = False
    said: str = ""  # what there is to say about it
    extra: Callable[[], bool] | None = None  # whether doctor finds it


@dataclass
class Breakdown:
    name: str
    make: Callable[[Site, ExitStack], Broken]
    site: Callable[[ExitStack], Site] = lambda stack: stack.enter_context(Site())
    needs: Callable[[], str] = lambda: ""  # what is lacking to make it


BREAKDOWNS: dict[str, Breakdown] = {}


def breakdown(site: Callable[[ExitStack], Site] | None = None, needs: str = "") -> Any:
    def add(make: Callable[[Site, ExitStack], Broken]) -> Any:
        one = Breakdown(make.__name__, make)
        one.site = site or one.site
        one.needs = lambda: needs if needs and not _has(needs) else ""
        BREAKDOWNS[make.__name__] = one
        return make

    return add


def _has(what: str) -> bool:
    if what == "root":
        return os.geteuid() == 0
    return bool(shutil.which(what))


# --- the database ---------------------------------------------------------------------------------


def on_a_small_disk(stack: ExitStack) -> Site:
    folder = tempfile.mkdtemp(prefix="small-disk-")
    _run("mount", "-t", "tmpfs", "-o", "size=32m", "none", folder)
    stack.callback(os.rmdir, folder)
    stack.callback(_run, "umount", "-l", folder)
    return stack.enter_context(Site({"DATABASE_URL": f"sqlite:///{folder}/hubadmin.sqlite3"}))


def _run(program: str, *arguments: str) -> None:
    subprocess.run([shutil.which(program) or program, *arguments], check=True)


def on_postgresql(stack: ExitStack) -> Site:
    import psycopg

    cluster = stack.enter_context(Cluster())
    with psycopg.connect(cluster.url.replace("/lane", "/postgres"), autocommit=True) as it:
        it.execute("CREATE DATABASE lane")
    site = stack.enter_context(Site({"DATABASE_URL": cluster.url}))
    site.cluster = cluster
    return site


@breakdown(on_a_small_disk, "root")
def disk_full(site: Site, stack: ExitStack) -> Broken:
    filler = Path(site.file).with_name("filler")
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    signs = Signs("", "", becomes("ready", 0), "not writable", "cannot be (used|written)")
    return Broken(signs, filler.unlink, said="no notice: the database has to keep it")


@breakdown(on_postgresql, "root")
def database_read_only(site: Site, stack: ExitStack) -> Broken:
    def switch(value: str) -> None:
        import psycopg

        with psycopg.connect(site.cluster.url, autocommit=True) as it:
            it.execute("SET default_transaction_read_only = off")
            it.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
            it.execute("SELECT pg_reload_conf()")

    switch("on")
    signs = Signs("", "", becomes("ready", 0), "not writable", "cannot be (used|written)")
    return Broken(signs, lambda: switch("off"), said="no notice: the database has to keep it")


@breakdown()
def database_locked(site: Site, stack: ExitStack) -> Broken:
    database = sqlite3.connect(site.file, timeout=20, isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    stack.callback(database.close)
    signs = Signs("", "", SERVER_ERRORS, "", "cannot be (used|written)")
    return Broken(signs, lambda: database.execute("ROLLBACK"), said="/readyz: others are writing")


@breakdown(on_postgresql, "root")
def postgresql_stopped(site: Site, stack: ExitStack) -> Broken:
    site.cluster.stop()
    signs = Signs("", "cannot be asked", becomes("ready", 0), "unreachable", "cannot be used")
    return Broken(signs, site.cluster.start, said="no notice: the database has to keep it")


# --- HubSpot, and who people are ------------------------------------------------------------------


def _refuse(site: Site, *methods: str, **fault: Any) -> None:
    site.sandbox.faults.add(*({"method": method, **fault} for method in methods))


@breakdown()
def token_refused(site: Site, stack: ExitStack) -> Broken:
    _refuse(site, "GET", "POST", "PUT", **TOKEN_REFUSED)
    refused = grown("hubspot_calls_total", status="401")
    signs = Signs("token_refused", "token_refused", refused, "", "")
    return Broken(signs, site.sandbox.faults.clear, ends=True)


@breakdown()
def scope_missing(site: Site, stack: ExitStack) -> Broken:
    _refuse(site, "PUT", **SCOPES)
    refused = grown("hubspot_calls_total", kind="link", status="403")
    signs = Signs("scope_missing", "", refused)
    return Broken(signs, site.sandbox.faults.clear, ends=True, said="the scopes read as complete")


@breakdown()
def hubspot_away(site: Site, stack: ExitStack) -> Broken:
    site.sandbox.stop()
    failed = grown("requests_total", outcome="unreachable")
    signs = Signs("calls_failing", "(wrong|warning) .*(HubSpot|connection)", failed, "", "")
    return Broken(signs, site.sandbox.start)


def with_a_provider(stack: ExitStack) -> Site:
    provider = stack.enter_context(HostileProvider())
    sso = {"SSO_MODE": "oidc", "SSO_ISSUER": provider.issuer, "SSO_CLIENT_ID": "hubadmin"}
    sso |= {"SSO_HEADER_SECRET": ""}
    site = stack.enter_context(Site())
    server = Server(site.sandbox.url, **site.server.environment | sso, SSO_CLIENT_SECRET="x" * 20)
    server._changes["WEB_BIND"] = f"127.0.0.1:{server.port}"
    site.server.stop()
    site.server = stack.enter_context(server)
    site.provider = provider
    return site


@breakdown(with_a_provider)
def provider_away(site: Site, stack: ExitStack) -> Broken:
    site.provider.dead = {DISCOVERY, "/jwks"}

    def sign_in() -> None:
        address = f"http://127.0.0.1:{site.server.port}/sign-in/start"
        headers = {"Host": "localhost", "X-Forwarded-Proto": "https"}
        requests.get(address, headers=headers, timeout=20, allow_redirects=False)

    signs = Signs("", "", SERVER_ERRORS, "", "sso.* (warning|error)")
    return Broken(signs, site.provider.reset, sign_in, said="only when somebody signs in; doctor")


# --- who works ------------------------------------------------------------------------------------


@breakdown()
def worker_killed(site: Site, stack: ExitStack) -> Broken:
    kill(site.worker)
    signs = Signs("worker_silent", "worker_silent", becomes("workers", 0))
    return Broken(signs, site.start_worker, ends=True)


@breakdown()
def sealer_killed(site: Site, stack: ExitStack) -> Broken:
    kill(site.sealer)
    silent = older("sealer_seen_timestamp_seconds", 45)
    signs = Signs("sealer_silent", "sealer_silent", silent)
    return Broken(signs, site.start_sealer, ends=True)


@breakdown()
def log_pipe_blocked(site: Site, stack: ExitStack) -> Broken:
    """Another server of this site, whose log nobody reads."""
    reader, writer = os.pipe()
    other = Server(site.sandbox.url)
    environment = site.server.environment | {"WEB_BIND": f"127.0.0.1:{other.port}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "python:hubadmin.gunicorn_conf"],
        env=environment | {"LOG_LEVEL": "DEBUG"},
        cwd=other._tree,
        stderr=writer,
    )
    os.close(writer)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    session = requests.Session()
    session.headers["Host"] = "localhost"
    address = f"http://127.0.0.1:{other.port}"

    def use() -> None:
        for _ in range(400):
            session.get(f"{address}/nowhere", timeout=10, allow_redirects=False)

    def drain() -> None:
        os.close(reader)

    site.port = other.port
    signs = Signs(metrics=grown("log_lines_dropped_total"), readyz="lines were dropped")
    said = "the line that tells how many comes once the pipe is read"
    return Broken(signs, drain, use, said=said)


# --- runs -----------------------------------------------------------------------------------------


@breakdown()
def run_paused(site: Site, stack: ExitStack) -> Broken:
    run = site.upload(10, start=False)
    _refuse(site, "POST", path="batch/associate", **SCOPES)
    _refuse(site, "POST", path="associations", **SCOPES)
    site.visitor.post(f"{run}start/", data={"way": "batch"})
    paused = grown("runs_paused", cause="scope_missing")
    signs = Signs("run_paused", "has paused by itself", paused, "", "runs warning")

    def repair() -> None:
        site.sandbox.faults.clear()
        site.visitor.post(f"{run}go-on/", data={})

    return Broken(signs, repair, said="resumed: run_ended is told")


@breakdown()
def run_ended(site: Site, stack: ExitStack) -> Broken:
    site.upload(10)
    return Broken(Signs("run_ended", log="runs warning"), said="no fault, but news")


@breakdown()
def run_waits_for_a_choice(site: Site, stack: ExitStack) -> Broken:
    """As if its dry run had been done six minutes ago."""
    site.upload(10, start=False)
    past = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - 360))
    site.sql(f"UPDATE associations_bulkrun SET rows_to_choose = 2, read_at = '{past}'")
    signs = Signs("run_choice", metrics=lambda _, now: now.get(of("runs", state="ready")) == 1)
    return Broken(signs, said="no fault, but news")


@breakdown(lambda stack: stack.enter_context(Site({"BULK_APPROVAL_ROWS": "5"})))
def run_waits_for_a_second_person(site: Site, stack: ExitStack) -> Broken:
    run = site.upload(10, start=False)
    site.visitor.post(f"{run}ask/", data={"way": "batch"})
    signs = Signs("run_approval", metrics=lambda _, now: now.get(of("runs", state="ready")) == 1)
    return Broken(signs, said="no fault, but news")


# --- HubSpot's limits and versions ----------------------------------------------------------------


def _use_up(site: Site, part: float, event: str) -> Broken:
    from hubadmin.demo.sandbox.limits import DAILY_LIMIT

    site.sandbox.window._today = int(DAILY_LIMIT * part)

    def used(_: Samples, now: Samples) -> bool:
        limit = now.get(of("quota_calls"), 0)
        return bool(limit) and now[of("quota_calls_used")] / limit >= part

    return Broken(Signs(event, event, used), site.sandbox.window.clear)


@breakdown()
def quota_80(site: Site, stack: ExitStack) -> Broken:
    return _use_up(site, 0.8, "quota_80")


@breakdown()
def quota_95(site: Site, stack: ExitStack) -> Broken:
    return _use_up(site, 0.95, "quota_95")


def four_months_later(stack: ExitStack) -> Site:
    """Its processes believe that it is March: API version v4 ends on the 30th."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    changes = {"LD_PRELOAD": str(library), "FAKETIME": "@2027-03-10 12:00:00"}
    changes |= {"HUBSPOT_API_VERSION": "v4", "TZ": "UTC"}
    return stack.enter_context(Site(changes))


@breakdown(four_months_later, "faketime")
def version_ends(site: Site, stack: ExitStack) -> Broken:
    """It was so before anybody looked: what is told stands there at once."""

    def ends(_: Samples, now: Samples) -> bool:
        name = of("hubspot_api_support_ends_timestamp_seconds", version="v4")
        march = datetime(2027, 3, 10, tzinfo=UTC).timestamp()
        return name in now and now[name] - march < 90 * 24 * 60 * 60

    return Broken(Signs("version_ends", "API version v4", ends), said="since its start")


def with_a_clock_for_the_worker(stack: ExitStack) -> Site:
    clock = stack.enter_context(Clock())
    assigned = [f"{name}={value}" for name, value in clock.environment.items()]
    return stack.enter_context(Site(prefix=("env", *assigned), clock=clock))


@breakdown(with_a_clock_for_the_worker, "cc")
def clock_off(site: Site, stack: ExitStack) -> Broken:
    """That of the machine with the workers, ten minutes ahead; the others' stay right."""
    assert site.clock
    site.clock.be_ahead(600)

    def is_found() -> bool:
        command = [*site.prefix, sys.executable, "manage.py", "doctor"]
        done = subprocess.run(
            command, env=site.server.environment, capture_output=True, text=True, timeout=60
        )
        return "clock is" in done.stdout

    signs = Signs("clock_differs", "clock_differs")
    return Broken(signs, said="doctor", extra=is_found)


@breakdown()
def links_found_gone(site: Site, stack: ExitStack) -> Broken:
    """The daily look, made now: a link that was made is away in HubSpot."""
    for _ in range(3):
        site.submit()
    site.sandbox.links.clear()
    look = (
        "from datetime import timedelta; from associations.sweep import sweeping as s\n"
        "s.SETTLED = timedelta(0)\nwhile s.take_step(): pass\n"
    )
    _, text = site.manage("shell", "-v0", "-c", look, SWEEP_QUOTA_PERCENT="0.5")
    signs = Signs("links_changed", "link", grown("sweep_findings"), "", "")
    return Broken(signs, said=text.strip()[:60])


# --- the log --------------------------------------------------------------------------------------


def _behind_the_guards(site: Site, table: str, statement: str) -> None:
    """As somebody with the owner's rights: take the triggers off, change a row, put them back."""
    of_it = f"FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{table}'"
    triggers = site.sql(f"SELECT name, sql {of_it}")
    drops = [f"DROP TRIGGER {name}" for name, _ in triggers]
    site.sql(*drops, statement, *(made for _, made in triggers))


@breakdown()
def seal_altered(site: Site, stack: ExitStack) -> Broken:
    site.sealer.send_signal(19)  # no newer seal comes meanwhile
    table = "associations_auditseal"
    newest = f"SELECT number, signature FROM {table} ORDER BY number DESC LIMIT 1"
    ((number, signature),) = wait_for(lambda: site.sql(newest))
    own = f"WHERE number = {number}"
    _behind_the_guards(site, table, f"UPDATE {table} SET signature = 'bm9uZQ==' {own}")

    def repair() -> None:
        _behind_the_guards(site, table, f"UPDATE {table} SET signature = '{signature}' {own}")
        site.sealer.send_signal(18)

    signs = Signs("log_altered", "log_altered", None, "", "")
    return Broken(signs, repair, ends=True)


@breakdown()
def verification_failed(site: Site, stack: ExitStack) -> Broken:
    table = "associations_associationrequest"
    sealed = "SELECT count(*) FROM associations_auditseal"
    wait_for(lambda: site.sql(sealed)[0][0])
    time.sleep(6)
    first = f"(SELECT min(id) FROM {table})"
    ((reason,),) = site.sql(f"SELECT reason FROM {table} WHERE id = {first}")
    change = f"UPDATE {table} SET reason = '{{}}' WHERE id = {first}"
    _behind_the_guards(site, table, change.format("altered"))
    site.manage("verify_audit_log")

    def repair() -> None:
        _behind_the_guards(site, table, change.format(reason))
        site.manage("verify_audit_log")

    return Broken(Signs("verification_failed", "verification_failed"), repair, ends=True)


@breakdown()
def triggers_dropped(site: Site, stack: ExitStack) -> Broken:
    names = site.sql("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%'")
    site.sql(*(f"DROP TRIGGER {name}" for (name,) in names[:2]))
    signs = Signs("log_altered", "log_altered", becomes("ready", 0), "triggers", "")
    return Broken(signs, lambda: site.manage("migrate"), ends=True)


# --- who is told ----------------------------------------------------------------------------------


@breakdown()
def receiver_dead(site: Site, stack: ExitStack) -> Broken:
    site.hooks._server.shutdown()
    site.hooks._server.socket.close()
    site.upload(3)
    signs = Signs("", "Notices for hook", None, "", "was not delivered")
    return Broken(signs, said="it can be told of by no notice")


# --- the whole ------------------------------------------------------------------------------------


@dataclass
class Row:
    name: str
    found: dict[str, float] = field(default_factory=dict)
    over: str = ""
    said: str = ""

    @property
    def is_seen(self) -> bool:
        return len(self.found) >= WANTED

    def __str__(self) -> str:
        cells = [
            f"{self.found[each]:5.0f} s" if each in self.found else "      ·" for each in COLUMNS
        ]
        mark = "" if self.is_seen else "  !"
        return f"{self.name:30} {' '.join(cells)}  {self.over:10} {self.said}{mark}"


HEADER = f"{'breakdown':30} {' '.join(f'{each:>7}' for each in COLUMNS)}  {'over told':10}"


def tried(one: Breakdown) -> Row:
    """Make it, see who notices, repair it."""
    row = Row(one.name)
    if lacking := one.needs():
        row.said = f"not made: it takes {lacking}"
        return row
    with ExitStack() as stack:
        site = one.site(stack)
        watcher = Watcher(site)
        if one.name == "version_ends":
            watcher._notices, watcher._status = 0, set()
        broken = one.make(site, stack)
        row.said = broken.said
        row.found = watcher.seen(broken.signs, broken.use or site.submit, SECONDS)
        if broken.extra and broken.extra():
            row.said += " (it did)"
        broken.repair()
        if broken.ends and "notice" in row.found:
            row.over = "yes" if _is_told_over(site) else "NO"
    return row


def _is_told_over(site: Site) -> bool:
    """Whether a notice says so, once the quiet quarter of an hour is skipped."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        past = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - 16 * 60))
        site.sql(
            f"UPDATE associations_condition SET seen_at = '{past}'",
            "UPDATE associations_watch SET watched_at = NULL, looked_at = NULL",
        )
        time.sleep(8)
        if any(each["is_over"] for each in site.notices()):
            return True
    return False


def quiet(minutes: float) -> int:
    """Use the site as people do, break nothing, and return the number of alarms."""
    with Site() as site:
        watcher = Watcher(site)
        begun, used, runs = time.monotonic(), 0, 0
        alarms = set[str]()
        while time.monotonic() - begun < minutes * 60:
            used += site.submit() in (200, 302, 303)
            for page in ("/", "/requests/", "/bulk/"):
                site.visitor.session.get(site.visitor.address + page, timeout=20)
            if used % 10 == 1:
                site.upload(10)
                runs += 1
            alarms |= {re.sub(r"[0-9.]+", "n", f"status: {each}") for each in site.status()}
            ready = site.readyz()
            alarms |= {f"readyz: {ready}"} if '"status": "ok"' not in ready else set()
            found = site.metrics()
            for name, wanted in (("ready", 1), ("degraded", 0), ("workers", 1)):
                value = found.get(of(name))
                alarms |= {f"metrics: {name} is {value}"} if value != wanted else set()
            time.sleep(8)
        news = [each["event"] for each in site.notices()]
        alarms |= {f"notice: {each}" for each in news if each != "run_ended"}
        lines = site.log()[watcher._lines :]
        loud = {each for each in lines if " warning " in each or " error " in each}
        alarms |= {f"log: {each}" for each in loud if not each.startswith("hubadmin.runs")}
    print(f"{minutes:g} minutes, {used} links, {runs} runs, {len(news)} notices of ended runs")
    for each in sorted(alarms):
        print(f"FALSE ALARM {each}")
    print(f"false alarms: {len(alarms)}", flush=True)
    return len(alarms)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=[*BREAKDOWNS], default=[])
    parser.add_argument("--quiet-minutes", type=float, default=0)
    options = parser.parse_args()
    if options.quiet_minutes:
        return int(quiet(options.quiet_minutes) > 0)
    print(HEADER, flush=True)
    rows = []
    for name in options.only or BREAKDOWNS:
        try:
            rows.append(tried(BREAKDOWNS[name]))
        except Exception as error:  # it could not be made, or not repaired: the others can
            rows.append(Row(name, said=f"{type(error).__name__}: {str(error)[-300:]}"))
        print(rows[-1], flush=True)
    seen = sum(each.is_seen for each in rows)
    print(f"{seen} of {len(rows)} seen by {WANTED} or more within {SECONDS} s")
    return int(seen < len(rows))


if __name__ == "__main__":
    sys.exit(main())
