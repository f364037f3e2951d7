"""PostgreSQL's recovery to a point in time, and whether the log shows what it has cut off.

`python -m tests.faults.point_in_time --seconds 60` has people submit on a PostgreSQL that archives
its write-ahead log, takes a base backup meanwhile, and recovers it as of so many seconds before the
end. `verify_audit_log` with AUDIT_HEADS_FILE has to find the cut, and what the README says to do
next is done: the log lines of what was lost are read, HubSpot's stand-in is asked for those links,
and the file is moved away. Exit code 1: one of these did not come out as it says.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

import psycopg

from tests.demo import MANAGE
from tests.faults.broken_site import Site, wait_for
from tests.faults.postgresql import Cluster

ENTRIES, SEALS = "associations_associationrequest", "associations_auditseal"


@dataclass
class Findings:
    wrong: list[str] = field(default_factory=list)

    def expect(self, is_so: bool, what: str) -> None:
        print(f"{'ok' if is_so else 'NO'}: {what}", flush=True)
        if not is_so:
            self.wrong.append(what)


def archiving(archive: Path) -> str:
    return (
        "-c wal_level=replica -c archive_mode=on -c max_wal_senders=4 "
        f"-c archive_command='cp %p {archive}/%f'"
    )


def base_backup(cluster: Cluster, place: Path) -> Path:
    base = place / "base"
    command = [shutil.which("pg_basebackup") or "pg_basebackup", "--checkpoint=fast"]
    command += [f"--pgdata={base}", "--host=127.0.0.1", f"--port={cluster.port}"]
    subprocess.run([*command, "--username=postgres", "--no-sync"], check=True, timeout=120)
    return base


def recovering(base: Path, archive: Path, until: datetime) -> None:
    """As the administrator writes it down before the server is started."""
    (base / "recovery.signal").touch()
    with (base / "postgresql.auto.conf").open("a") as file:
        file.write(
            f"restore_command = 'cp {archive}/%f %p'\n"
            f"recovery_target_time = '{until.isoformat(sep=' ')}'\n"
            "recovery_target_action = 'promote'\n"
        )
    if os.getuid() == 0:
        for each in (base, *base.rglob("*")):
            shutil.chown(each, "postgres")


def use(site: Site, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        site.submit()
        time.sleep(0.3)


def rows(url: str, statement: str) -> list[tuple]:
    with psycopg.connect(url) as database:
        return database.execute(statement).fetchall()


def manage(site: Site, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(MANAGE), *arguments],
        env=site.server.environment | {"DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=120,
    )


def closed_lines(site: Site) -> set[int]:
    """The entries that the server's log lines tell of, as a log collector has them."""
    found = set()
    for line in site.server.output().splitlines():
        if line.startswith("{") and (told := json.loads(line)).get("event") == "entry closed":
            found.add(int(told["entry"]))
    return found


def tried(seconds: float) -> int:
    findings = Findings()
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="recovery-")))
        archive, heads = place / "archive", place / "heads"
        archive.mkdir()
        place.chmod(0o755)
        if os.getuid() == 0:
            shutil.chown(archive, "postgres")
        cluster = stack.enter_context(Cluster(options=archiving(archive)))
        with psycopg.connect(cluster.url.replace("/lane", "/postgres"), autocommit=True) as it:
            it.execute("CREATE DATABASE lane")
        settings = {"DATABASE_URL": cluster.url, "AUDIT_HEADS_FILE": str(heads)}
        site = stack.enter_context(Site(settings))
        use(site, 5)
        base = base_backup(cluster, place)
        use(site, max(8, seconds / 4))
        until = datetime.now(UTC)
        use(site, seconds)
        time.sleep(6)  # for the last seal
        columns = "id, from_object_id, to_object_id, outcome"
        had = {pk: told for pk, *told in rows(cluster.url, f"SELECT {columns} FROM {ENTRIES}")}
        ((seals,),) = rows(cluster.url, f"SELECT max(number) FROM {SEALS}")
        linked = site.sandbox.associations
        print(f"before: {len(had)} entries, {seals} seals; recovered to {until:%H:%M:%S.%f}")
        switched = rows(cluster.url, "SELECT pg_walfile_name(pg_switch_wal())")
        wait_for(lambda: (archive / switched[0][0]).exists())
        site.server.stop()
        site._stop()
        cluster.stop()

        recovering(base, archive, until)
        again = stack.enter_context(Cluster(base=base))
        wait_for(lambda: rows(again.url, "SELECT pg_is_in_recovery()") == [(False,)])
        has = {pk for (pk,) in rows(again.url, f"SELECT id FROM {ENTRIES}")}
        ((left,),) = rows(again.url, f"SELECT max(number) FROM {SEALS}")
        lost = {pk: told for pk, told in had.items() if pk not in has}
        print(f"after: {len(has)} entries, {left} seals; cut off: {len(lost)} entries")
        findings.expect(bool(lost) and left < seals, "the recovery has cut something off")
        _follow_the_readme(site, again.url, heads, left, lost, linked, findings)
        cluster.start()  # which its end stops
    return len(findings.wrong)


def _follow_the_readme(
    site: Site,
    url: str,
    heads: Path,
    left: int,
    lost: dict[int, list[str]],
    linked: set,
    findings: Findings,
) -> None:
    """As "Heads on a machine of their own" says, step by step."""
    verified = manage(site, url, "verify_audit_log")
    said = " ".join((verified.stdout + verified.stderr).split())
    print(f"verify_audit_log: exit code {verified.returncode}: {said[:300]}")
    is_found = verified.returncode == 1 and f"The seals after seal {left} are gone" in said
    findings.expect(is_found, "verify_audit_log with AUDIT_HEADS_FILE names the cut")
    without = site.server.environment.pop("AUDIT_HEADS_FILE")
    blind = manage(site, url, "verify_audit_log")
    findings.expect(blind.returncode == 0, "without the file what is left is proven, and no more")
    site.server.environment["AUDIT_HEADS_FILE"] = without

    kept = shutil.copy(heads, heads.with_name("heads-kept"))  # 1
    findings.expect(
        lost.keys() <= closed_lines(site), "the log lines tell of every entry that was lost"
    )
    # 3
    pairs = {(first, second) for first, second, outcome in lost.values() if outcome == "linked"}
    there = {(each.from_id, each.to_id) for each in linked}
    findings.expect(bool(pairs) and pairs <= there, "HubSpot has the links of what was lost")

    sealed = manage(site, url, "seal_audit_log")
    said = " ".join((sealed.stdout + sealed.stderr).split())
    lacks = "the log lacks a seal that was made before" in said
    print(f"seal_audit_log: exit code {sealed.returncode}: {said[:300]}")
    findings.expect(lacks, "the sealer's ERROR says that the log lacks a seal")
    heads.rename(heads.with_name("heads-of-before"))  # 5
    for command in ("seal_audit_log", "verify_audit_log"):
        done = manage(site, url, command)
        words = " ".join((done.stdout + done.stderr).split())
        print(f"{command}: exit code {done.returncode}: {words[:200]}")
        findings.expect(done.returncode == 0, f"once the file is moved, {command} is content")
    findings.expect(Path(kept).read_bytes() != b"", "the file of before is kept")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how much is cut off")
    return int(tried(parser.parse_args().seconds) > 0)


if __name__ == "__main__":
    sys.exit(main())
