"""Clusters of PostgreSQL 15 and 17 on one Debian, and the ways from one to another."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.identity.processes import free_port
from tests.tools.bare.machine import apt_network, apt_sources, run

# All clusters, one after the other, are at the same address: nobody's settings change. Processes
# that verify import this module, too, and are to know it.
PORT, NAME = int(os.environ.setdefault("MAJOR_UPGRADE_PORT", str(free_port()))), "hubadmin"
OLD, NEW, SUITE, SUITE_BEFORE = 15, 17, "trixie", "bookworm"
FILES = {
    "etc/apt/apt.conf.d/99network": apt_network,
    "etc/apt/sources.list": lambda: "\n".join(apt_sources(SUITE) + apt_sources(SUITE_BEFORE)),
    "etc/postgresql-common/createcluster.conf": lambda: "create_main_cluster = false\n",
    "usr/sbin/policy-rc.d": lambda: "#!/bin/sh\nexit 101\n",  # nothing starts by itself
}
INSTALL = f"apt-get update && apt-get install -y --no-install-recommends postgresql-{{{OLD},{NEW}}}"


@dataclass
class Cluster:
    """One in the folder /srv of that Debian, where `run` runs what an administrator types."""

    root: Path
    version: int
    data: str

    def run(self, text: str, user: str = "postgres") -> None:
        """As root there, or as PostgreSQL's account. Raises CalledProcessError."""
        path = f"/usr/lib/postgresql/{self.version}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        own = {"PATH": path, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
        text = f"cd /srv && set -o pipefail && {text}"
        with (self.root / "said").open("ab") as said:
            told = ["chroot", f"--userspec={user}:{user}", self.root, "bash", "-c", text]
            run(*told, env=own, stdin=subprocess.DEVNULL, stdout=said, stderr=said)

    def make(self) -> None:
        self.run(f"initdb --pgdata={self.data} --auth=trust --username=postgres --no-sync")

    def start(self) -> None:
        options = f"-p {PORT} -k /srv -c listen_addresses=127.0.0.1 -c wal_level=replica"
        self.run(f"pg_ctl start -w --pgdata={self.data} --log={self.data}.log -o '{options}'")

    def stop(self) -> None:
        if (self.root / "srv" / self.data / "postmaster.pid").exists():
            self.run(f"pg_ctl stop -w --mode=fast --pgdata={self.data}")

    def programs(self, text: str, role: str = "postgres") -> None:
        own = f"PGHOST=127.0.0.1 PGPORT={PORT} PGUSER={role} PGPASSWORD={NAME}"
        self.run(f"export {own}; {text}")


def installed(root: Path) -> Cluster:
    """Make that Debian, unless it is there, and an empty cluster of the older PostgreSQL."""
    first = Cluster(root, OLD, "first")
    if not (root / "usr/lib/postgresql").exists():
        mirror = apt_sources(SUITE)[0].split()[1]
        run("debootstrap", "--variant=minbase", SUITE, root, mirror, stdout=subprocess.DEVNULL)
        for name, text in FILES.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(text())
        (root / "usr/sbin/policy-rc.d").chmod(0o755)
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        first.run(INSTALL, "root")
    (root / "dev/shm").chmod(0o1777)
    first.run("rm -rf /srv/* && chown postgres /srv", "root")
    first.make()
    return first


Grant = Callable[[], None]  # has the script make the roles and give the rights
Way = Callable[[Cluster, Cluster, Grant], None]


# --- the ways -------------------------------------------------------------------------------------


def by_dump(first: Cluster, then: Cluster, grant: Grant, take: str, restore: str) -> None:
    """As the README restores: roles by their script, and the rights by it once more."""
    then.programs(f"pg_dump {NAME} {take}", f"{NAME}_owner")
    first.stop()
    then.make()
    then.start()
    grant()
    then.programs(restore, f"{NAME}_owner")
    grant()


def by_dump_of_all(first: Cluster, then: Cluster, grant: Grant) -> None:
    then.programs("pg_dumpall >all.sql")
    first.stop()
    then.make()
    then.start()
    # Who restores is a role of the dump, too, which is there already.
    then.programs("grep -v '^CREATE ROLE postgres;' all.sql | psql -qX -v ON_ERROR_STOP=1 postgres")


def by_upgrade(first: Cluster, then: Cluster, grant: Grant, how: str) -> None:
    first.stop()
    then.make()
    programs = (
        f"-b /usr/lib/postgresql/{first.version}/bin -B /usr/lib/postgresql/{then.version}/bin"
    )
    then.run(f"pg_upgrade {programs} -d {first.data} -D {then.data} -U postgres {how}")
    then.start()
    then.programs("vacuumdb --all --analyze-in-stages")


def by_base_backup(first: Cluster, then: Cluster, grant: Grant) -> None:
    then.programs(f"pg_basebackup --checkpoint=fast --pgdata={then.data}")
    first.stop()
    then.start()


_NO_MORE = "--no-owner --no-privileges"
CUSTOM = {
    "take": "--format=custom --file=dump",
    "restore": f"pg_restore --exit-on-error {_NO_MORE} -d {NAME} dump",
}
PLAIN = {
    "take": f"{_NO_MORE} --file=dump.sql",
    "restore": f"psql -qX -v ON_ERROR_STOP=1 -f dump.sql {NAME}",
}
WAYS: list[tuple[str, int, Way]] = [
    ("pg_dump | pg_restore", OLD, partial(by_dump, **CUSTOM)),
    ("pg_dump | psql", OLD, partial(by_dump, **PLAIN)),
    ("pg_basebackup", OLD, by_base_backup),
    ("pg_dump | pg_restore", NEW, partial(by_dump, **CUSTOM)),
    ("pg_dump | psql", NEW, partial(by_dump, **PLAIN)),
    ("pg_dumpall | psql", NEW, by_dump_of_all),
    ("pg_upgrade --copy", NEW, partial(by_upgrade, how="--copy")),
    ("pg_upgrade --link", NEW, partial(by_upgrade, how="--link")),
]
