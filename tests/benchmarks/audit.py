"""How the audit log does at ten million entries: `python -m tests.benchmarks.audit`.

It fills two databases, a small one and a large one, of the kind that TEST_DATABASE_URL names, and
measures both sides of each ratio in turns; medians of the rounds. What a goal is missed by is
marked with `!`. `--keep` leaves the databases for the next run.
"""

import argparse
import hashlib
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from math import inf
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, models, transaction

from associations.audit.exports import CSV_COLUMNS, ExportProgress, csv_lines
from associations.audit.forms import FAILURES
from associations.audit.integrity import triggers
from associations.audit.integrity.chain_verification import verify
from associations.audit.integrity.manifest import read
from associations.audit.integrity.sealing import seal_log
from associations.audit.integrity.serialization import KINDS
from associations.audit.pagination import LIST_SECONDS, PAGE_SIZE
from associations.db import QueryTimeoutError, query_timeout
from associations.models import AssociationAttempt, AssociationRequest, AuditFilter, AuditSeal
from associations.models.querysets import SEEN, count_of, page_of
from hubadmin.models import User
from tests import audit_log
from tests.associations.linking.base import entry_of, named_entry_of
from tests.support import SignedInClient, person

ROUNDS, CALLS, INSERTS, COPIED = 7, 5, 200, 1_000
EXPORTED = 500_000  # entries, the newest
SEALS = 25
SLOW_MS = 2_000  # what takes so long is not measured again
FOLDER = Path(tempfile.gettempdir()) / "hubadmin-audit-benchmark"
GOALS = {
    "page": 1.05,
    "middle": 1.3,
    "filter": 50,  # ms
    "names": 3,
    "sqlite3": 3.5,
    "psql": 1.25,
    "memory": 25,  # MiB
    "verify": 3,
}

NAME = settings.DATABASES[DEFAULT_DB_ALIAS]["NAME"]

Database = Any  # one of Django's wrappers around a connection
Call = Callable[[], object]

# --- the databases --------------------------------------------------------------------------------


def use(database: Database) -> None:
    """Let it be the one that everything works on."""
    connections[DEFAULT_DB_ALIAS] = database


def open_database(size: str, rows: int, folder: Path) -> Database:
    """Return a filled one: that of an earlier run, if it is whole."""
    database = connections[DEFAULT_DB_ALIAS].copy()
    is_file = database.vendor == "sqlite"
    name = folder / f"{size}.sqlite3" if is_file else f"{NAME}_{size}"
    database.settings_dict["TEST"]["NAME"] = str(name)
    use(database)
    database.creation.create_test_db(verbosity=0, serialize=False, keepdb=True)
    last = AssociationRequest.objects.order_by("id").last()
    if last is None or last.pk != rows or triggers.problems():
        database.creation.destroy_test_db(verbosity=0)
        database.creation.create_test_db(verbosity=0, serialize=False, keepdb=True)
        start = time.perf_counter()
        audit_log.fill(rows)
        took = time.perf_counter() - start
        print(f"fill {size}, {database.vendor}: {rows} entries in {took:.0f} s")
    return database


# --- how it is measured ---------------------------------------------------------------------------


def milliseconds(call: Call, calls: int = 1) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls * 1000


def tell_ratio(name: str, goal: float, ours: Call, floor: Call, calls: int = 1) -> None:
    """Print the milliseconds of both and their ratio."""
    ours(), floor()
    rounds = [(milliseconds(ours, calls), milliseconds(floor, calls)) for _ in range(ROUNDS)]
    mine, least = (statistics.median(side) for side in zip(*rounds, strict=True))
    ratio = statistics.median(a / b for a, b in rounds)
    print(f"{name}: {mine:.2f} ms / {least:.2f} ms = {ratio:.2f}{mark(ratio, goal)}")


def mark(value: float, goal: float) -> str:
    return f" ! goal {goal}" if value > goal else ""


def page(wanted: AuditFilter, **position: Any) -> list[AssociationRequest]:
    branches = AssociationRequest.objects.for_list().branches(wanted)
    return page_of(branches, size=PAGE_SIZE + 1, **position)


def count(wanted: AuditFilter) -> int:
    return count_of(AssociationRequest.objects.for_list().branches(wanted), wanted)


# --- what is measured -----------------------------------------------------------------------------


def audit_pages(small: Database, large: Database) -> None:
    """The page as an admin gets it, at both sizes."""

    def visit(database: Database) -> Call:
        use(database)
        browser = SignedInClient(person("admin"))

        def get() -> None:
            use(database)
            assert browser.get("/audit/").status_code == 200

        return get

    name = f"GET /audit/, large / small, {large.vendor}"
    tell_ratio(name, GOALS["page"], visit(large), visit(small), CALLS)


def middle_page() -> None:
    everything = AuditFilter()
    last = AssociationRequest.objects.order_by("id").last()
    middle = AssociationRequest.objects.position_of(last.pk // 2)
    tell_ratio(
        "page in the middle / first page",
        GOALS["middle"],
        lambda: page(everything, before=middle),
        lambda: page(everything),
        CALLS,
    )


def single_filters() -> dict[str, AuditFilter]:
    """Each filter alone: what is common and what is rare, what is hot and what is not there."""
    ids = dict(User.objects.filter(issuer="tests").values_list("subject", "pk"))
    left, people = [
        [ids[audit_log.subject(n)] for n in numbers]
        for numbers in (filter(audit_log.has_left, range(audit_log.PEOPLE)), (0, 3, 60, 199))
    ]
    end, week = audit_log.END, timedelta(days=7)
    found = AssociationRequest.objects.exclude(correlation_id="").order_by("id").first()
    hot, odd = audit_log.HOT_COMPANIES[0], audit_log.ODD_RECORD
    return {
        "a person": AuditFilter(users=(people[0],)),
        "a person who left": AuditFilter(users=(left[0],)),
        "several people, some of whom left": AuditFilter(users=(*people, *left)),
        "fifty people": AuditFilter(users=tuple(ids[audit_log.subject(n)] for n in range(50))),
        "an outcome, common": AuditFilter(outcomes=("linked",)),
        "an outcome, rare": AuditFilter(outcomes=("canceled",)),
        "all failures": AuditFilter(outcomes=tuple(FAILURES)),
        "from type, common": AuditFilter(from_object_type="contacts"),
        "from type, rare": AuditFilter(from_object_type=audit_log.ODD_TYPE),
        "to type, common": AuditFilter(to_object_type="companies"),
        "to type, rare": AuditFilter(to_object_type="2-4001"),
        "record, hot": AuditFilter(record_id=hot),
        "record, rare": AuditFilter(record_id=odd),
        "record and type, hot": AuditFilter(record_id=hot, record_type="companies"),
        "record and type, rare": AuditFilter(record_id=odd, record_type=audit_log.ODD_TYPE),
        "record and type, of another type": AuditFilter(record_id=hot, record_type="contacts"),
        "the last week": AuditFilter(since=end - week),
        "a week two years ago": AuditFilter(since=end - 104 * week, until=end - 103 * week),
        "error category, common": AuditFilter(error_category="VALIDATION_ERROR"),
        "error category, rare": AuditFilter(error_category=audit_log.ODD_CATEGORY),
        "error category, none such": AuditFilter(error_category="NO_SUCH_CATEGORY"),
        "HTTP status, common": AuditFilter(http_status=200),
        "HTTP status, rare": AuditFilter(http_status=audit_log.ODD_STATUS),
        "correlation id": AuditFilter(correlation_id=found.correlation_id),
        "request id": AuditFilter(request_id=found.request_id),
        "name, common": AuditFilter(name="GmbH"),
        "name, less common": AuditFilter(name="Ashaby"),
        "name, of one record or some": AuditFilter(name="Ada Ashaby"),
        "name, rare": AuditFilter(name=audit_log.ODD_NAME),
        "name, common long ago": AuditFilter(name=audit_log.OLD_NAME),
        "name, nowhere": AuditFilter(name="saxophone"),
        "name, nowhere, of common parts": AuditFilter(name="GmbH GmbH"),
        "name, typed address": AuditFilter(name="ada.ashaby@example.com"),
        "reason, common": AuditFilter(reason="customer asked"),
        "reason, in most entries": AuditFilter(reason="SUP-"),
        "reason, one ticket": AuditFilter(reason="SUP-48213"),
        "reason, rare": AuditFilter(reason="quarantined"),
        "reason, common long ago": AuditFilter(reason=audit_log.OLD_REASON),
        "reason, nowhere": AuditFilter(reason="saxophone"),
        "reason, nowhere, of common parts": AuditFilter(reason="SUP-SUP-SUP"),
        "error words, common": AuditFilter(error_words=("associations", "invalid")),
        "error words, common long ago": AuditFilter(error_words=("under", audit_log.OLD_WORD)),
        "error words, an id": AuditFilter(error_words=(hot, "association")),
        "error words, rare": AuditFilter(error_words=("suspended", audit_log.ODD_WORD)),
        "error words, nowhere": AuditFilter(error_words=("saxophone",)),
        **{f"seen, {seen}": AuditFilter(seen=seen) for seen in SEEN},
        "seen, not verified, two years ago": AuditFilter(
            seen="not_verified", until=end - 104 * week
        ),
    }


def filters() -> dict[str, AuditFilter]:
    """Time each; return those whose pages took longest."""
    wanted = single_filters()
    pages, counts = ({name: [] for name in wanted} for _ in range(2))
    for _ in range(ROUNDS + 1):
        for name, each in wanted.items():
            for times, call in ((pages[name], page), (counts[name], count)):
                if not times or times[0] < SLOW_MS:
                    times.append(milliseconds(lambda call=call, each=each: call(each)))
    for name in wanted:
        tell_filter(name, pages[name], counts[name])
    tell_longest("pages", pages)
    tell_longest("counts", counts)
    slowest = sorted(wanted, key=lambda name: typical(pages[name]), reverse=True)
    return {name: wanted[name] for name in slowest[:2]}


def typical(times: list[float]) -> float:
    """The median, but for the first: caches were cold then."""
    return statistics.median(times[1:] or times)


def tell_filter(name: str, pages: list[float], counts: list[float]) -> None:
    ratio = max(typical(pages), typical(counts)) / GOALS["filter"]
    print(
        f"filter, {name}: page {typical(pages):.1f} ms (at first {pages[0]:.1f}), "
        f"count {typical(counts):.1f} ms (at first {counts[0]:.1f}) / {GOALS['filter']} ms "
        f"= {ratio:.2f}{mark(ratio, 1)}"
    )


def tell_longest(what: str, times: dict[str, list[float]]) -> None:
    longest, name = max((typical(each), name) for name, each in times.items())
    ratio = longest / GOALS["filter"]
    print(f"slowest of the {what}, {name}: {longest:.1f} ms / {GOALS['filter']} ms = {ratio:.2f}")


def combinations() -> None:
    """Filters no index was made for; a page gives up on them in the end."""
    ids = dict(User.objects.filter(issuer="tests").values_list("subject", "pk"))
    gone, busiest = (ids[audit_log.subject(n)] for n in (7, 0))
    end, year = audit_log.END, timedelta(days=365)
    combined = {
        "who left, and a rare status": AuditFilter(users=(gone,), http_status=418),
        "who left, and a rare type": AuditFilter(users=(gone,), to_object_type="2-4001"),
        "the busiest, and canceled": AuditFilter(users=(busiest,), outcomes=("canceled",)),
        "linked, and a status that never is": AuditFilter(outcomes=("linked",), http_status=404),
        "common types, of a pair that is none": AuditFilter(
            from_object_type="tickets", to_object_type="deals"
        ),
        "a common reason, and a rare type": AuditFilter(
            reason="SUP-", from_object_type="p4242_car"
        ),
        "a common reason, and who left": AuditFilter(reason="customer asked", users=(gone,)),
        "a common reason, of linked entries long ago": AuditFilter(
            reason="duplicates", outcomes=("linked",), until=end - 2 * year
        ),
        "words of two errors": AuditFilter(error_words=("associations", "limit", "label")),
        "a common reason, and a common error": AuditFilter(
            reason="SUP-1", error_words=("invalid",), users=(busiest,)
        ),
        "a hot record, and a rare outcome": AuditFilter(
            record_id=audit_log.HOT_COMPANIES[0], outcomes=("canceled",)
        ),
        "linked, and not verified": AuditFilter(outcomes=("linked",), seen="not_verified"),
        "linked, and linked already": AuditFilter(outcomes=("linked",), seen="already"),
        "rejected, and verified, which never is": AuditFilter(
            outcomes=("rejected",), seen="verified"
        ),
        "who left, and not verified": AuditFilter(users=(gone,), seen="not_verified"),
        "a common type, and not verified": AuditFilter(
            from_object_type="contacts", seen="not_verified"
        ),
    }
    for name, wanted in combined.items():
        for what, call in (("page", page), ("count", count)):
            start = time.perf_counter()
            try:
                with query_timeout(LIST_SECONDS):
                    call(wanted)
                ended = ""
            except QueryTimeoutError:
                ended = f", ended by the limit of {LIST_SECONDS:.0f} s"
            took = (time.perf_counter() - start) * 1000
            print(f"combined, {name}: {what} {took:.0f} ms{ended}")


# --- names ----------------------------------------------------------------------------------------


def names_cost() -> None:
    """What it costs that records have names: to insert an entry, and to show a page of them."""
    user = User.objects.filter(issuer="tests").first()
    ids = itertools.count(AssociationRequest.objects.order_by("id").last().pk + 1)
    seen = ("Ada Byron", "Analytical Ltd", "ada@example.com")

    def inserted() -> None:
        entry_of(user, pk=next(ids))

    def named() -> None:
        named_entry_of(user, *seen, pk=next(ids))

    with transaction.atomic():
        tell_ratio("insert with names / without", GOALS["names"], named, inserted, INSERTS)
        transaction.set_rollback(True)
    joined = AssociationRequest.objects.for_list()
    alone = joined.select_related(None)
    tell_ratio(
        "first page with names / without",
        GOALS["names"],
        lambda: page_of([joined], size=PAGE_SIZE + 1),
        lambda: page_of([alone], size=PAGE_SIZE + 1),
        CALLS,
    )


# --- export ---------------------------------------------------------------------------------------


def export_against_cli(folder: Path) -> None:
    """A CSV file of the newest entries, by us and by the database's own program."""
    vendor, database = connections[DEFAULT_DB_ALIAS].vendor, connections[DEFAULT_DB_ALIAS]
    program = "psql" if vendor == "postgresql" else "sqlite3"
    if not shutil.which(program):
        print(f"export: {program} is not installed here")
        return
    entries, rows = newest()
    query = entries.values_list(*columns()).newest_first().query
    file = folder / "export.csv"

    def ours() -> None:
        with file.open("wb") as target:
            target.writelines(csv_lines(entries, ExportProgress()))

    def theirs() -> None:
        by_program(database, literal_sql(database, query), file)

    name = f"CSV export / {program}, {rows} entries"
    try:
        tell_ratio(name, GOALS[program], ours, theirs)
    finally:
        file.unlink(missing_ok=True)


def newest(at_most: int = EXPORTED) -> tuple[Any, int]:
    """The entries to export, and how many they are."""
    first = AssociationRequest.objects.newest_first()[at_most - 1 : at_most].first()
    since = first.created_at if first else audit_log.START
    entries = AssociationRequest.objects.matching(AuditFilter(since=since))
    return entries, entries.count()


def columns() -> list[str]:
    """What the export holds, as it stands in the table."""
    stored = {field.attname for field in AssociationRequest._meta.concrete_fields}
    return [name for name in CSV_COLUMNS if name in stored]


def literal_sql(database: Database, query: Any) -> str:
    sql, parameters = query.sql_with_params()
    with database.cursor() as cursor:
        if database.vendor == "postgresql":
            return cursor.mogrify(sql, parameters)
        return sql % tuple(f"'{value}'" for value in parameters)


def by_program(database: Database, sql: str, file: Path) -> None:
    name, known = database.settings_dict["NAME"], database.settings_dict
    if database.vendor == "sqlite":
        command, more = ["sqlite3", "-readonly", "-csv", "-header", name, sql], {}
    else:
        command = ["psql", "-qX", "-c", f"\\copy ({sql}) TO STDOUT (FORMAT csv, HEADER)"]
        names = {"HOST": "PGHOST", "PORT": "PGPORT", "USER": "PGUSER", "PASSWORD": "PGPASSWORD"}
        more = {"PGDATABASE": name, "PGTZ": "UTC"}
        more |= {names[key]: str(known[key]) for key in names if known[key]}
    with file.open("wb") as target:
        subprocess.run(command, stdout=target, env=os.environ | more, check=True)


def export_memory() -> None:
    """What an export needs above the idle process, in a process of its own; short and long."""
    name, found = str(connections[DEFAULT_DB_ALIAS].settings_dict["NAME"]), []
    for at_most in (EXPORTED // 10, EXPORTED):
        command = [sys.executable, "-m", "tests.benchmarks.audit"]
        command += ["--memory-of-export", name, str(at_most)]
        rows, used = subprocess.check_output(command, text=True).split()
        print(f"memory of an export, {rows} entries: {float(used):.1f} MiB above idle")
        found.append(float(used))
    ratio = max(found) / GOALS["memory"]
    print(f"memory of an export / {GOALS['memory']} MiB = {ratio:.2f}{mark(ratio, 1)}")


def print_memory_of_export(name: str, at_most: int) -> None:
    connections[DEFAULT_DB_ALIAS].settings_dict["NAME"] = name
    entries, rows = newest(at_most)
    idle = peak = own_memory()
    for _ in csv_lines(entries, ExportProgress()):
        peak = max(peak, own_memory())
    print(rows, (peak - idle) / 1024)


def own_memory() -> int:
    """KiB of this process alone: what SQLite maps of its file is the system's cache."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1])
    return 0


# --- seals ----------------------------------------------------------------------------------------


def seals() -> None:
    """So many seals, and their proof; then the log is as if they had never been."""
    with transaction.atomic():
        start = time.perf_counter()
        made = list(islice(seal_log(), SEALS))
        sealed = time.perf_counter()
        report = verify()
        proven = time.perf_counter()
        assert AuditSeal.objects.count() == report.seals == len(made)
        print(f"seal: {report.items / (sealed - start):.0f} items a second")
        print(f"verify: {report.items / (proven - sealed):.0f} items a second")
        floor = [read_and_hashed(made) for _ in range(ROUNDS)]
        ratio = (proven - sealed) / statistics.median(floor)
        over = mark(ratio, GOALS["verify"])
        print(f"verify / reading and hashing the same rows = {ratio:.2f}{over}")
        transaction.set_rollback(True)


def read_and_hashed(seals: list[AuditSeal]) -> float:
    """The seconds that the driver takes to read what they hold, and SHA-256 of it as it comes."""
    manifests = [read(seal.manifest) for seal in seals]
    start = time.perf_counter()
    for manifest in manifests:
        for kind, model in KINDS.items():
            hash_rows(model, "id", manifest.ids(kind))
        hash_rows(AssociationAttempt, "request_id", manifest.ids("entry"))
    return time.perf_counter() - start


def hash_rows(model: type[models.Model], key: str, ids: Collection[int]) -> None:
    columns = ", ".join(field.column for field in model._meta.concrete_fields)
    among = ", ".join(map(str, ids)) or "NULL"
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {model._meta.db_table} WHERE {key} IN ({among})")
        for row in cursor.fetchall():
            hashlib.sha256(str(row).encode()).hexdigest()


# --- indexes --------------------------------------------------------------------------------------

ENTRIES = AssociationRequest._meta.db_table
_SIZES = {
    "postgresql": f"""
        SELECT indexrelid::regclass::text, pg_relation_size(indexrelid)
        FROM pg_index WHERE indrelid = '{ENTRIES}'::regclass
    """,
    # Not every SQLite tells.
    "sqlite": f"""
        SELECT name, sum(pgsize) FROM dbstat WHERE name IN
            (SELECT name FROM sqlite_master WHERE tbl_name = '{ENTRIES}' AND type = 'index')
        GROUP BY name
    """,
}


def index_sizes() -> None:
    """What each index of the entries takes, in bytes an entry."""
    database = connections[DEFAULT_DB_ALIAS]
    rows = AssociationRequest.objects.count()
    with database.cursor() as cursor:
        try:
            cursor.execute(_SIZES[database.vendor])
            found = cursor.fetchall()
        except DatabaseError as error:
            print(f"indexes: their sizes are not told ({error})")
            return
    for name, size in sorted(found, key=lambda each: -each[1]):
        print(f"index, {name}: {size / rows:.1f} bytes an entry")
    print(f"indexes of the entries together: {sum(size for _, size in found) / rows:.0f} bytes")


def index_costs() -> None:
    """What each index adds to an insert: without it, in the small database, all else the same."""
    database = connections[DEFAULT_DB_ALIAS]
    with database.cursor() as cursor:
        found = database.introspection.get_constraints(cursor, ENTRIES)
    names = [n for n, told in found.items() if told["index"] or told["unique"]]
    least = dict.fromkeys(["", *names], inf)  # the median would be of whatever else is running
    with transaction.atomic():
        for _ in range(ROUNDS):
            for name in least:
                least[name] = min(least[name], inserted_without(name))
        transaction.set_rollback(True)
    for name in sorted(names, key=least.__getitem__):
        if least[name] < inf:
            print(f"index, {name}: {least[''] - least[name]:.1f} us an insert")


def inserted_without(name: str) -> float:
    """The microseconds a row of many copied rows; the index, and what was copied, is as before."""
    taken = {"id": "id + 1000000000", "submit_key": "substr('c' || submit_key, 1, 22)"}
    columns = [field.column for field in AssociationRequest._meta.concrete_fields]
    copied = ", ".join(taken.get(column, column) for column in columns)
    with (
        suppress(_DoneError),
        transaction.atomic(),
        connections[DEFAULT_DB_ALIAS].cursor() as cursor,
    ):
        if name:
            try:
                with transaction.atomic():
                    cursor.execute(f'DROP INDEX "{name}"')
            except DatabaseError:  # it holds up a constraint
                if connections[DEFAULT_DB_ALIAS].vendor == "sqlite":
                    return inf
                cursor.execute(f'ALTER TABLE {ENTRIES} DROP CONSTRAINT "{name}" CASCADE')
        start = time.perf_counter()
        cursor.execute(
            f"INSERT INTO {ENTRIES} ({', '.join(columns)}) "
            f"SELECT {copied} FROM {ENTRIES} WHERE id <= {COPIED}"
        )
        took = (time.perf_counter() - start) / COPIED * 1e6
        raise _DoneError
    return took


class _DoneError(Exception):
    """Undoes what was tried."""


# --- plans ----------------------------------------------------------------------------------------


def print_plans(wanted: dict[str, AuditFilter]) -> None:
    on_postgresql = connections[DEFAULT_DB_ALIAS].vendor == "postgresql"
    details = {"analyze": True, "buffers": True} if on_postgresql else {}
    for name, each in wanted.items():
        branches = AssociationRequest.objects.for_list().branches(each)
        plans = [branch[: PAGE_SIZE + 1].explain(**details) for branch in branches]
        for plan in dict.fromkeys(plans):
            print(f"plan, {name}:\n{plan}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.audit")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for SQLite and exports")
    parser.add_argument("--keep", action="store_true", help="leave the databases for the next run")
    parser.add_argument("--plans", action="store_true", help="explain the two slowest pages")
    parser.add_argument("--memory-of-export", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of_export:
        name, at_most = options.memory_of_export
        print_memory_of_export(name, int(at_most))
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    sizes = {"small": options.small, "large": options.rows}
    databases = {size: open_database(size, rows, options.folder) for size, rows in sizes.items()}
    try:
        measure(databases, options)
    finally:
        if not options.keep:
            drop(databases)


def measure(databases: dict[str, Database], options: argparse.Namespace) -> None:
    audit_pages(databases["small"], databases["large"])
    use(databases["large"])
    middle_page()
    names_cost()
    slowest = filters()
    if options.plans:
        print_plans(slowest)
    combinations()
    export_against_cli(options.folder)
    export_memory()
    seals()
    index_sizes()
    use(databases["small"])
    index_costs()


def drop(databases: dict[str, Database]) -> None:
    for database in databases.values():
        use(database)
        database.creation.destroy_test_db(verbosity=0)


if __name__ == "__main__":
    main()
