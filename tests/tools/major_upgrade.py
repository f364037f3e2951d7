"""Whether the log is still proven once PostgreSQL was upgraded, whichever way its data goes there.

`python -m tests.tools.major_upgrade [--root DIR]`, as root. debootstrap makes a Debian 13, which
has PostgreSQL 17, and gets PostgreSQL 15 of Debian 12 beside it. A site fills a database on 15: a
log with whatever it can have, some of it pruned, and a bulk run. Then its data goes each way to a
cluster that takes the place of the first one, and a site starts there. Exit code 1: the log is not
proven there, its triggers or the rights of the roles are not what they were, `/readyz`, `status`,
`doctor` or `check` tell of something new, or a link is not logged and sealed.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import django

from tests.tools.clusters import NAME, OLD, PORT, WAYS, Cluster, installed

SERVER = f"postgres://postgres@127.0.0.1:{PORT}/postgres"
os.environ["TEST_DATABASE_URL"] = f"postgres://{NAME}_owner:{NAME}@127.0.0.1:{PORT}/{NAME}"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.db import connection

from associations.audit import recorder
from associations.audit.integrity.serialization import KINDS
from associations.gateway import rate_limiter
from associations.models import AssociationRequest, AuditSeal
from tests.associations.audit.integrity.base import items_of
from tests.faults.broken_site import Site, wait_for
from tests.faults.log.making import Clock, Maker
from tests.faults.upgrading.databases import PostgreSQL
from tests.faults.upgrading.site import migrate
from tests.settings import BASE_DIR

RIGHTS = """
SELECT concat_ws(' ', r.rolname, c.relname, a.attname, p.name)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT attisdropped,
pg_roles r, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) AS p(name)
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
AND r.rolname LIKE 'hubadmin%' AND has_column_privilege(r.oid, c.oid, a.attnum, p.name)
UNION ALL SELECT concat_ws(' ', r.rolname, c.relname, p.name)
FROM pg_class c, pg_roles r, unnest(ARRAY['DELETE', 'TRUNCATE', 'TRIGGER']) AS p(name)
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
AND r.rolname LIKE 'hubadmin%' AND has_table_privilege(r.oid, c.oid, p.name)
UNION ALL SELECT concat_ws(' ', r.rolname, c.relname, has_sequence_privilege(r.oid, c.oid, 'USAGE'))
FROM pg_class c, pg_roles r
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'S' AND r.rolname LIKE 'hubadmin%'
UNION ALL SELECT concat_ws(' ', r.rolname, p.name, has_schema_privilege(r.oid, 'public', p.name))
FROM pg_roles r, unnest(ARRAY['CREATE', 'USAGE']) AS p(name) WHERE r.rolname LIKE 'hubadmin%'
UNION ALL SELECT concat_ws(' ', relname, relowner::regrole) FROM pg_class
WHERE relnamespace = 'public'::regnamespace ORDER BY 1
"""
TRIGGERS = """
SELECT tgname, tgenabled, pg_get_triggerdef(oid), obj_description(oid, 'pg_trigger')
FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname
"""
COMMANDS = [
    ("verify_audit_log",),
    ("status", "--json"),
    ("doctor", "--json"),
    ("check", "--database=default", "--fail-level=WARNING"),
    ("migrate", "--check"),
]
ELSEWHERE = ("batch", "timestamp")  # a real run's; and an authority's, which nobody is here


class Before(NamedTuple):
    head: str
    worries: set[str]
    facts: dict[str, set[Any]]


def fill(database: PostgreSQL, folder: Path) -> None:
    """Through the recorder, by a clock of its own; part of it is pruned."""
    migrate(BASE_DIR, database)
    clock, wanted = Clock(), [KINDS[kind] for kind in KINDS if kind not in ELSEWHERE]
    with clock.set():
        maker = Maker(random.Random("upgrade"), clock)
        while not all(model.objects.exists() for model in wanted):
            maker.make(40)
            maker.seal()
            maker.prune(folder)
            maker.verify()
        recorder.close_abandoned()
    _hang_up()


def run_in_bulk(site: Site) -> None:
    """A bulk run, to its end."""
    run = site.upload(20).strip("/").rsplit("/", 1)[1]
    state = f"SELECT state FROM associations_bulkrun WHERE id = {run}"
    wait_for(lambda: site.sql(state) == [("done",)])


def facts(database: PostgreSQL) -> dict[str, set[Any]]:
    """What must be the same on the cluster that takes its place."""
    tables = {kind: model._meta.db_table for kind, model in KINDS.items()}
    counts = {kind: database.rows(f"SELECT count(*) FROM {each}") for kind, each in tables.items()}
    return {
        "head": {*database.rows("SELECT head FROM associations_auditseal")},
        "right": {*database.rows(RIGHTS)},
        "trigger": {*database.rows(TRIGGERS)},
        "number": {(kind, count) for kind, ((count,),) in counts.items()},
    }


def link(site: Site) -> bool:
    """One more, as the role that serves; whether it is logged, and in a seal soon."""
    status = site.submit()
    entry = AssociationRequest.objects.latest("pk")
    wait_for(lambda: ("entry", entry.pk) in items_of(*AuditSeal.objects.order_by("-number")[:9]))
    return (status, entry.outcome, entry.verified) == (302, "linked", True)


def told(site: Site, head: str) -> tuple[dict[str, Any], set[str]]:
    """What monitoring, and whoever has doubts, is told: exit codes, and whatever is not well."""
    ready = json.loads(site.readyz())
    codes = {"readyz": ready.pop("status")}
    worries = {f"readyz: {name}: {text}" for name, text in ready.items() if text != "ok"}
    for name, *arguments in COMMANDS:
        heads = ["--head", head] if name == "verify_audit_log" else []
        codes[name], text = site.manage(name, *arguments, *heads)
        if "--json" in arguments:
            worries |= {f"{name}: {each}" for each in _worries(json.loads(text))}
        elif codes[name]:
            worries.add(f"{name}: {text}")
    return codes, worries


def _worries(report: dict[str, Any]) -> Iterator[str]:
    for section in report["sections"]:
        for line in section.get("lines") or section.get("findings") or ():
            if line["level"] in ("wrong", "warning", "failed"):
                yield f"{section['name']}: {line['text']}"


def tell(way: str, codes: dict[str, Any], wrong: list[str]) -> None:
    shown = "  ".join(f"{name.partition('_')[0]} {code}" for name, code in codes.items())
    print(f"{way:<30} {'NOT PROVEN' if wrong else 'proven':<10} {shown}", flush=True)
    print("".join(f"    {each}\n" for each in wrong), end="", flush=True)


def differences(before: dict[str, set[Any]], after: dict[str, set[Any]]) -> Iterator[str]:
    for name, those in before.items():
        yield from (f"no more: {name} {each}" for each in those - after[name])
        yield from (f"new: {name} {each}" for each in after[name] - those)


def proven(way: str, cluster: Cluster, database: PostgreSQL, before: Before) -> bool:
    """What has become of it on this cluster, told in a line and one for each thing wrong."""
    wrong = [*differences(before.facts, facts(database))]
    ((version,),) = database.rows("SHOW server_version")
    if not version.startswith(f"{cluster.version}."):
        wrong.append(f"this is PostgreSQL {version}")
    codes, worries = dict[str, Any](), set[str]()
    try:
        with Site({"DATABASE_URL": database.url}) as site:
            wrong += [] if link(site) else ["a link is not logged as linked"]
            codes, worries = told(site, before.head)
    except AssertionError as error:  # it does not start, or the link is never sealed
        wrong.append(str(error)[-500:])
    _hang_up()
    if codes.get("readyz") != "ok" or codes.get("verify_audit_log") != 0:
        wrong.append("the log is not proven")
    wrong += sorted(worries - before.worries)
    tell(way, codes, wrong)
    return not wrong


def _hang_up() -> None:
    connection.close()
    rate_limiter.close()


def begun(first: Cluster, database: PostgreSQL, folder: Path) -> Before:
    """Fill the first cluster, and keep it as it then is."""
    first.start()
    database.grant()
    fill(database, folder)
    with Site({"DATABASE_URL": database.url}) as site:
        run_in_bulk(site)
        link(site)
        head = AuditSeal.objects.order_by("number").last().head
        codes, worries = told(site, head)
    _hang_up()
    before = Before(head, worries, facts(database))
    print("the log has", *(f"{kind} {count}," for kind, count in sorted(before.facts["number"])))
    print(*(f"{len(those)} {name}s," for name, those in before.facts.items() if name != "number"))
    tell(f"{OLD}, before", codes, sorted(worries))
    first.stop()
    first.run(f"cp -a {first.data} kept")
    return before


def all_ways(root: Path, folder: Path, only: str) -> int:
    """Return how many have not proven the log."""
    first, database, failed = installed(root), PostgreSQL(SERVER, NAME), 0
    with ExitStack() as stack:
        stack.callback(first.stop)
        before = begun(first, database, folder)
        for way, version, go in WAYS:
            if only not in way:
                continue
            then = Cluster(root, version, "then")
            stack.callback(then.stop)
            first.run(f"rm -rf {first.data} {then.data} && cp -a kept {first.data}")
            first.start()
            go(first, then, database.grant)
            failed += not proven(f"{OLD} to {version}, {way}", then, database, before)
            then.stop()
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--root", type=Path, help="a folder in which that Debian stays")
    parser.add_argument("--only", default="", metavar="WAY", help="such as pg_upgrade")
    given = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if os.geteuid() or not shutil.which("debootstrap"):
        print("It takes root, and debootstrap.")
        return 2
    with tempfile.TemporaryDirectory(prefix="upgrade-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        root = given.root or Path(folder) / "root"
        return int(all_ways(root, Path(folder), given.only) > 0)


if __name__ == "__main__":
    sys.exit(main())
