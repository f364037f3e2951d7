"""Random logs, made as the flows make them: through the recorder, by a clock that goes forward.

The release before makes logs with this module and runs.py, too: these two import no other of the
campaign.
"""

import json
import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from inspect import signature
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from associations import models
from associations.audit import recorder
from associations.audit.recorder import RequestMeta
from associations.hubspot.answers import Answer, Attempt, merge_attempts, read_answer
from associations.hubspot.outcomes import Cause
from associations.models import AssociationRequest, AuditExport, AuditSeal
from hubadmin.models import User
from tests.support import person

BEGINNING = datetime(2026, 1, 5, 8, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
)
TYPES = [("contacts", "companies"), ("contacts", "deals"), ("2-4001", "tickets")]
REASONS = ["", "SUP-1", "wrong company", "=1+1", "客户要求", "a\nb", "naïve “quotes”", "x" * 500]
REFUSALS = [
    (404, "OBJECT_NOT_FOUND", "Unable to find"),
    (403, "MISSING_SCOPES", "no scope"),
    (429, "RATE_LIMITS", "You have reached your secondly limit."),
    (500, "", "internal error"),
]


SEEN = {
    "from_name": ["", "Ada Byron", "渡辺 直美", "=1+1"],
    "from_typed": ["", "ada@example.com"],
    "to_name": ["", "Analytical Ltd", "O'Neil & Sons"],
    "to_typed": ["", "analytical.example"],
}


class Clock:
    """What the log is made by, and everybody else while it is set."""

    def __init__(self) -> None:
        self.now = BEGINNING

    def __call__(self) -> datetime:
        return self.now

    def forward(self, time: timedelta) -> None:
        self.now += time

    @contextmanager
    def set(self) -> Iterator[None]:
        with mock.patch.object(timezone, "now", self):
            yield


def command(name: str, *arguments: str) -> tuple[int, str]:
    """Run one; return its exit code and what it says."""
    said = StringIO()
    try:
        call_command(name, *arguments, stdout=said, stderr=said)
    except CommandError as error:
        return error.returncode, f"{said.getvalue()}{error}"
    return 0, said.getvalue()


@contextmanager
def small_seals(size: int) -> Iterator[None]:
    """Seals of no more items of a kind than so many, for whoever seals or judges them."""
    modules = [each for name, each in sys.modules.items() if name.startswith("associations.")]
    with ExitStack() as stack:
        for module in modules:
            if hasattr(module, "ITEMS_PER_SEAL"):
                stack.enter_context(mock.patch.object(module, "ITEMS_PER_SEAL", size))
        yield


class Maker:
    """Makes one log, step by step; what is not sealed or closed meanwhile may stay so for days."""

    def __init__(self, chance: random.Random, clock: Clock) -> None:
        self.chance, self.clock = chance, clock
        self.people = [person("support"), person("admin"), person("ada", "support")]
        self.tokens = iter(range(1, 10**6))
        self.open: list[AssociationRequest] = []
        self.exports: list[AuditExport] = []
        self.steps = [self.link, self.link, self.begin, self.end, self.late, self.check]
        self.steps += [self.export, self.burn_a_number, self.seal, self.event, self.erase]

    def make(self, steps: int) -> None:
        for _ in range(steps):
            self.chance.choice(self.steps)()
            self.wait()

    def wait(self) -> None:
        """Mostly for moments; now and then for days, when nobody seals or sends."""
        longest = self.chance.choice([SECOND, MINUTE, MINUTE, HOUR, HOUR, DAY, 4 * DAY])
        self.clock.forward(self.chance.uniform(0.01, 1) * longest)

    # --- the form ---------------------------------------------------------------------------------

    def begin(self) -> AssociationRequest:
        """Somebody submits; the process may die before there is an answer."""
        types = self.chance.choice(TYPES)
        entry, _ = recorder.open_entry(
            user=self.person(),
            meta=self.meta(),
            submit_token=f"token-{next(self.tokens)}",
            from_object_type=types[0],
            from_object_id=str(self.chance.randint(1, 99_999)),
            to_object_type=types[1],
            to_object_id=str(self.chance.randint(1, 99_999)),
            reason=self.chance.choice(REASONS),
            **self.names(),
        )
        self.open.append(entry)
        return entry

    def names(self) -> dict[str, Any]:
        """What the records were called, to a release that keeps it."""
        if "names" not in signature(recorder.open_entry).parameters or self.chance.random() < 0.4:
            return {}
        told = {name: self.chance.choice(values) for name, values in SEEN.items()}
        return {"names": models.SeenNames(**told)}

    def erase(self) -> None:
        """Somebody's names go, from a log that keeps some."""
        if not hasattr(models, "RecordNames"):
            return
        from associations.audit.integrity import erasing

        row = self.any(list(models.RecordNames.objects.select_related("entry").order_by("pk")))
        if row and AuditSeal.objects.exists():
            if connection.vendor == "postgresql" and connection.in_atomic_block:
                with connection.cursor() as cursor:
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            record = row.entry.from_object_type, row.entry.from_object_id
            erasing.erase([record], "the campaign")

    def link(self) -> None:
        self.begin()
        self.end(last=True)

    def end(self, *, last: bool = False) -> None:
        """One that is open gets its answer, however late; or whoever comes by closes it."""
        if not self.open:
            return
        entry = self.open.pop(-1 if last else self.chance.randrange(len(self.open)))
        still_there = AssociationRequest.objects.filter(pk=entry.pk, outcome="sending")
        if not still_there.exists() or self.chance.random() < 0.1:
            recorder.close_abandoned()
            return
        answers = []
        for number in range(1, self.chance.choice([1, 1, 1, 2, 3]) + 1):
            attempt = self.attempt(entry)
            recorder.record_attempt(entry, number, attempt)
            answers.append(self.answer(entry, attempt))
            self.clock.forward(self.chance.uniform(0, 2) * SECOND)
        recorder.close_entry(entry, merge_attempts(answers), **self.seen())

    def seen(self) -> dict[str, Any]:
        """What verification saw around it."""
        if self.chance.random() < 0.3:
            return {}
        was, verified = self.chance.choice([True, False, None]), self.chance.choice([True, None])
        at = timezone.now() if verified else None
        cause = "" if verified else "timed_out"
        told = {"was_linked": was, "verified": verified, "verified_at": at}
        return told | {"unverified_cause": cause}

    def answer(self, entry: AssociationRequest, attempt: Attempt) -> Answer:
        ids = {"from_object_id": entry.from_object_id, "to_object_id": entry.to_object_id}
        return read_answer(attempt, **ids)

    def attempt(self, entry: AssociationRequest) -> Attempt:
        how, headers = self.chance.random(), {"Content-Type": "application/json"}
        at, took = timezone.now(), self.chance.randint(5, 9_000)
        if how < 0.1:
            return Attempt(at, took, failure=Cause.TIMED_OUT, detail="no answer")
        if how < 0.2:
            return Attempt(at, took, http_status=502, body="<html>Bad gateway</html>")
        if how < 0.4:
            status, category, message = self.chance.choice(REFUSALS)
            told = {"status": "error", "category": category, "message": message}
            told["correlationId"] = f"c-{self.chance.randrange(10**9)}"
            return Attempt(at, took, status, headers, json.dumps(told))
        return Attempt(at, took, 200, headers, json.dumps(self.complete([entry])))

    def complete(self, entries: list[AssociationRequest]) -> dict[str, Any]:
        results = [
            {
                "from": {"id": entry.from_object_id},
                "to": {"id": entry.to_object_id},
                "associationSpec": {"associationCategory": "HUBSPOT_DEFINED"},
            }
            for entry in entries
        ]
        at = f"{timezone.now():%Y-%m-%dT%H:%M:%S.250Z}"
        return {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}

    def late(self) -> None:
        """An attempt ends after its entry had been closed without it."""
        closed = AssociationRequest.objects.exclude(outcome__in=["queued", "sending"])
        if entry := self.any_of(closed):
            recorder.record_attempt(entry, entry.attempts.count() + 1, self.attempt(entry))

    def check(self) -> None:
        entry = self.any_of(AssociationRequest.objects.exclude(outcome="queued"))
        if not entry:
            return
        types = [{"category": "HUBSPOT_DEFINED", "typeId": 279, "label": None}]
        seen = self.chance.choice(
            [
                {"is_linked": True, "types": types},
                {"is_linked": False},
                {"cause": "timed_out", "error_text": "no answer"},
            ]
        )
        recorder.record_check(
            entry=entry, user=self.person(), meta=self.meta(), duration_ms=80, **seen
        )

    def export(self) -> None:
        """One begins, or ends; some never do."""
        if self.exports and self.chance.random() < 0.5:
            export = self.exports.pop()
            state = self.chance.choice([AuditExport.State.COMPLETE, AuditExport.State.ABORTED])
            recorder.close_export(export, state=state, rows=self.chance.randint(0, 99))
            return
        kind, query = self.chance.choice(["csv", "jsonl"]), self.chance.choice(["", "run=1"])
        who = {"user": self.person(), "meta": self.meta()}
        self.exports.append(recorder.open_export(**who, file_format=kind, query=query))

    def event(self) -> None:
        """Whatever else people do that is logged: by its name, for not every release has it."""
        if record := getattr(recorder, "record_event", None):
            what = self.chance.choice(["signed_in", "signed_out"])
            record(what=what, user=self.person(), meta=self.meta())

    # --- around it --------------------------------------------------------------------------------

    def burn_a_number(self) -> None:
        """As an insert that was rolled back does."""
        table = self.chance.choice([AssociationRequest, AuditExport])._meta.db_table
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(f"SELECT nextval(pg_get_serial_sequence('{table}', 'id'))")
            else:
                cursor.execute(f"UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = '{table}'")

    def seal(self) -> None:
        code, said = command("seal_audit_log")
        if code:
            raise AssertionError(f"not sealed: {said}")

    def verify(self) -> None:
        code, said = command("verify_audit_log")
        if code and AuditSeal.objects.exists():
            raise AssertionError(f"not proven: {said}")

    def prune(self, folder: Path) -> None:
        """Take out what is older than a random age."""
        days = self.chance.randint(1, 6)
        file = folder / f"archive-{self.chance.randrange(10**12)}.jsonl"
        code, said = command("prune_audit_log", "--older-than", f"{days}d", "--archive", str(file))
        file.unlink(missing_ok=True)
        if code:
            raise AssertionError(f"not pruned: {said}")

    def head(self) -> str:
        last = AuditSeal.objects.last()
        return last.head if last else ""

    def person(self) -> User:
        return self.chance.choice(self.people)

    def meta(self) -> RequestMeta:
        name = f"r-{self.chance.randrange(10**9)}"
        return RequestMeta("10.0.0.7", self.chance.choice(["", "Firefox"]), name)

    def any(self, things: list[Any]) -> Any:
        return self.chance.choice(things) if things else None

    def any_of(self, entries: Any) -> AssociationRequest | None:
        return self.any(list(entries.order_by("pk")))
