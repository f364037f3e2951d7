"""One manipulation: done, sealed over, verified, looked at, judged, and undone."""

import random
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path

from django.db import DatabaseError, connection, transaction
from django.http import HttpResponseBase
from django.urls import NoReverseMatch, reverse

from associations.models import OPEN_OUTCOMES
from tests.faults.log import chain, changes, guards, inserts, naming
from tests.faults.log.databases import (
    OWNER,
    SERVING,
    Databases,
    execute,
    next_numbers,
    on_postgresql,
    rows_of,
    set_back,
    undone,
)
from tests.faults.log.designs import Aftermath, designs_of
from tests.faults.log.guards import UNAIDED, Guards
from tests.faults.log.making import Clock, command
from tests.faults.log.scene import Manipulation, Scene
from tests.faults.log.state import Chain, Change, changes_of, owner_of, read_rows, table
from tests.faults.log.values import moment
from tests.support import SignedInClient, person

REFUSED, UNCHANGED, DETECTED = "refused", "nothing changed", "detected"
BY_DESIGN, UNDETECTED = "by design", "UNDETECTED"
WAYS = inserts.WAYS | changes.WAYS | chain.WAYS | naming.WAYS | guards.WAYS
PAGES = ("audit_log", "audit_figures", "exports", "integrity", "seals", "status", "my_requests")
PAGES += ("bulk_runs", "link", "events", "audit_events", "security_events")
SOME_PAGES = 2
PATIENCE = 60  # seconds; on a busy machine, too, whatever takes longer never ends
NOT_LOGGED = "there is no file now"


@dataclass(slots=True)
class Result:
    """What became of one; `faults` are pages that broke, and commands that did."""

    run: int
    role: str
    name: str
    verdict: str
    designs: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    sql: list[str] = field(default_factory=list)
    told: str = ""

    def as_data(self) -> dict[str, object]:
        return asdict(self)


class Base:
    """A log that is manipulated again and again, each time as it was."""

    def __init__(self, databases: Databases, clock: Clock) -> None:
        self.databases, self.clock = databases, clock
        self.rows, self.chain, self.guards = read_rows(), Chain.of_log(), Guards()
        self.numbers = next_numbers()
        self.client = SignedInClient(person("admin"), raise_request_exception=False)
        self.heads = [row["head"] for _, row in sorted(self.rows["seal"].items())]

    def manipulated(self, run: int, role: str, chance: random.Random) -> Result:
        """Choose one that there is something for, do it, and say what became of it."""
        now = moment(f"{self.clock.now:%Y-%m-%d %H:%M:%S.%f}+00:00")
        scene = Scene(chance, role, self.rows, self.chain, now)
        manipulation = None
        while manipulation is None:
            way = chance.choices(list(WAYS), list(WAYS.values()))[0]
            if on_postgresql() or role == OWNER or way not in UNAIDED:
                manipulation = way(scene)
        statements = manipulation.statements
        if role == OWNER and way not in UNAIDED:
            off, on = self.guards.off_and_on(scene, manipulation.tables)
            statements = [*off, *statements, *(on if chance.random() < 0.9 else [])]
        result = Result(run, role, manipulation.name, REFUSED, sql=statements)
        before = self.clock.now
        set_back(self.numbers)
        try:
            with undone():
                self._judge(result, manipulation, statements, chance)
        finally:
            self.clock.now = before
            if not on_postgresql():
                execute("PRAGMA ignore_check_constraints = OFF")
        return result

    def _judge(
        self,
        result: Result,
        manipulation: Manipulation,
        statements: list[str],
        chance: random.Random,
    ) -> None:
        try:
            with transaction.atomic(), self.databases.as_role(result.role):
                execute(*statements)
                _settle(result.role)
        except DatabaseError as error:
            result.told = str(error).splitlines()[0]
            return
        changed = changes_of(self.rows, read_rows())
        result.changed = [str(each) for each in changed[:6]]
        with self.databases.as_role(SERVING):
            is_found = self._proves_less(result)
            page = self._look(result, changed, chance)
            after = self._aftermath(result.role, changed, page)
            result.verdict = _verdict(result, manipulation, changed, after, is_found=is_found)
            # What is open may be closed falsely; it is found once it is in a seal.
            if result.verdict == UNDETECTED and self._close_all() and self._proves_less(result):
                result.verdict = DETECTED

    def _proves_less(self, result: Result) -> bool:
        """Seal what there is and verify; whether either says that something is wrong."""
        self.clock.forward(timedelta(minutes=1))
        commands = "seal_audit_log", "verify_audit_log"
        codes = [self._command(result, name) for name in commands]  # both, whatever the first says
        return any(codes)

    def _command(self, result: Result, name: str) -> int:
        try:
            with transaction.atomic(), at_most(PATIENCE):
                code, said = command(name)
        except Exception as error:
            result.faults.append(f"{name}: {_last_line(error)}")
            return 0
        result.told = said.splitlines()[0][:300] if said else ""
        return code

    def _close_all(self) -> bool:
        """Whoever works on what is open gives it up; false if nothing was open."""
        now = f"{self.clock.now:%Y-%m-%d %H:%M:%S.%f}"
        still_open = ", ".join(f"'{outcome}'" for outcome in OPEN_OUTCOMES)
        values = f"outcome = 'canceled', cause = 'not_sent', finished_at = '{now}'"
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table('entry')} SET {values} WHERE outcome IN ({still_open})")
            return cursor.rowcount > 0

    def _aftermath(self, role: str, changed: list[Change], page: str) -> Aftermath:
        now = read_rows()
        after = Aftermath(role, now, self.rows, self.chain, self.clock.now, page=page)
        if any(each.kind == "seal" for each in changed):
            left = [pk for pk in now["seal"] if now["seal"][pk] == self.rows["seal"].get(pk)]
            after.chain = self.chain.up_to(max(left, default=0))
            asked = ("--head", self.heads[-1] or "") if self.heads else ()
            after.is_found_with_head = bool(command("verify_audit_log", *asked)[0])
        return after

    # --- pages ------------------------------------------------------------------------------------

    def _look(self, result: Result, changed: list[Change], chance: random.Random) -> str:
        """Whether any page breaks, of some and of those about what was changed."""
        pages = chance.sample(_pages(), SOME_PAGES)
        about = self._pages_about(changed)
        pages += chance.sample(about, min(SOME_PAGES, len(about)))
        if any(each.kind == "verification" for each in changed):
            pages.append(reverse("integrity"))
        found = {path: self._get(result, path) for path in pages}
        return found.get(reverse("integrity"), "")

    def _pages_about(self, changed: list[Change]) -> list[str]:
        found = []
        for each in changed[:2]:
            row = each.after or each.before
            pk = each.pk if each.kind == "entry" else owner_of(each.kind, row)
            if pk is not None and 0 < pk < 10**18:
                found += [reverse("request", args=[pk]), reverse("request_bundle", args=[pk])]
            if each.kind == "entry" and (row["from_object_id"] or "").isdecimal():
                found.append(f"/audit/records/contacts/{row['from_object_id']}/")
        return found

    def _get(self, result: Result, path: str) -> str:
        try:
            block = transaction.atomic()
            block._from_testcase = True
            with block, at_most(PATIENCE):
                response = self.client.get(path)
                body = _body(response)
                transaction.set_rollback(True)
        except Exception as error:
            result.faults.append(f"{path}: {_last_line(error)}")
            return ""
        # No file where it cannot be logged that it was taken, which a page says: that is right.
        is_answer = path == "/readyz" or NOT_LOGGED in body
        if response.status_code >= 500 and not is_answer:
            info = getattr(response, "exc_info", None)
            why = _last_line(info[1]) if info else body[:100]
            result.faults.append(f"{path}: {response.status_code} {why}")
        return body


def _verdict(
    result: Result,
    manipulation: Manipulation,
    changed: list[Change],
    after: Aftermath,
    *,
    is_found: bool,
) -> str:
    if is_found:
        return DETECTED
    if not changed and not manipulation.must:
        return UNCHANGED
    if changed and not manipulation.must and (found := designs_of(changed, after)) is not None:
        result.designs = found
        return BY_DESIGN
    return UNDETECTED


def _pages() -> list[str]:
    found = ["/audit/export.csv", "/audit/export.jsonl", "/audit/?outcome=linked", "/readyz"]
    for name in PAGES:
        try:
            found.append(reverse(name))
        except NoReverseMatch:
            continue
    return found


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Break off what does not end."""

    def break_off(*args: object) -> None:
        raise TimeoutError(f"not ended after {seconds} s")

    signal.signal(signal.SIGALRM, break_off)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def _body(response: HttpResponseBase) -> str:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return content.decode(errors="replace")


def _last_line(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/associations/" in frame.filename] or frames
    place = f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    said = str(error).partition("\n")[0][:120]
    return f"{type(error).__name__}: {said}{place}"


def _settle(role: str) -> None:
    """What the database would check as the transaction ends; whoever has a file need not ask."""
    if on_postgresql():
        execute("SET CONSTRAINTS ALL IMMEDIATE")
    elif role == SERVING and (broken := rows_of("PRAGMA foreign_key_check")):
        raise DatabaseError(f"FOREIGN KEY constraint failed: {broken[0]}")
