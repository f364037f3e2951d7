"""Undo while others write as well: `python -m tests.faults.undo --trials 10000 --seed 1`.

In each trial a pair that this site has linked is undone, while somebody else labels it, takes a
label off, unlinks or links it again, or merges a record, right before one of the calls; and HubSpot
refuses, lies, breaks off or is slow to answer some. Each call is a real one to the stand-in.

Exit code 1: an entry or the page says what is not so, a label was lost that could have been told
from the look before, or without a word that it may be, or a call and its log entry are not both
there. TEST_DATABASE_URL chooses the database.
"""

import argparse
import sys
import time
from collections import Counter
from random import Random
from typing import Any
from unittest import mock

from tests.faults.own_database import own_database

LABEL = "Decision maker"
WRITES = ("none", "label", "take_label", "unlink", "link", "merge_from", "merge_to", "merge_into")
FAULTS: tuple[dict[str, Any] | None, ...] = (
    *(None, None, None),
    {"status": 503},
    {"status": 401},
    {"status": 404},
    {"status": 429},
    {"status": 423},
    {"apply": False},
    {"apply": False, "times": None},
    {"reset": "before"},
    {"reset": "after"},
)


class Campaign:
    """One world, many trials; `counts` is what came of them, `wrong` each that is not as it is."""

    def __init__(self, sandbox: Any, user: Any, seed: int) -> None:
        self.sandbox, self.user, self.random = sandbox, user, Random(seed)
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._calls = 0
        self._at, self._write = 0, "none"
        self._pair = ("", "")
        self._lost: set[str] = set()
        self._record, self._remove = sandbox.record, sandbox.links.remove
        sandbox.record, sandbox.links.remove = self._arrives, self._is_removed

    def _arrives(self, method: str, target: str, headers: dict[str, str]) -> Any:
        """Somebody else writes right before a certain call; hubadmin's removals are counted."""
        self._calls += 1
        if self._calls == self._at:
            self._somebody_writes()
        if method == "DELETE" or target.endswith("labels/archive"):
            self.removals += 1
        return self._record(method, target, headers)

    def _is_removed(self, from_type: str, to_type: str, pair: Any, types: Any = None) -> None:
        before = self._labels()
        self._remove(from_type, to_type, pair, types)
        self._lost |= before - self._labels()

    def _labels(self) -> set[str]:
        return {str(each.label) for each in self._types() if each.label}

    def _types(self) -> list[Any]:
        from hubadmin.demo.sandbox.portal import TYPES

        one, other = (
            self.sandbox.id_of(TYPES[name], each)
            for name, each in zip(("contacts", "companies"), self._pair, strict=True)
        )
        return list(self.sandbox.links.seen("contacts", one, "companies").get(other, []))

    def _somebody_writes(self) -> None:
        one, other = self._pair
        ends = ("contacts", one, "companies", other)
        match self._write:
            case "label" if self._types():
                self.sandbox.link(*ends, label=LABEL)
            case "take_label":
                self._remove("contacts", "companies", self._pair, {("USER_DEFINED", 37)})
            case "unlink":
                self._remove("contacts", "companies", self._pair)
            case "link":
                self.sandbox.link(*ends)
            case "merge_from":
                self.sandbox.merge("contacts", one, self._new("contacts"))
            case "merge_to":
                self.sandbox.merge("companies", other, self._new("companies"))
            case "merge_into":
                self.sandbox.merge("contacts", self._new("contacts"), one)

    def _new(self, object_type: str) -> str:
        return str(self.sandbox.create(object_type, {}))

    def take(self, trials: int) -> None:
        for number in range(trials):
            self._trial(number)

    def _trial(self, number: int) -> None:
        from associations.audit.recorder import RequestMeta
        from associations.linking.undo import NotUndoableError, undo

        entry = self._linked()
        self._calls, self.removals, self._lost = 0, 0, set()
        self._write, self._at = self.random.choice(WRITES), self.random.randint(1, 8)
        fault = self.random.choice(FAULTS)
        self.sandbox.faults.clear()
        if fault:
            method = self.random.choice(("POST", "POST", "DELETE"))
            path = "labels/archive" if method == "POST" else "/associations/"
            self.sandbox.fault(**({"method": method, "path": path} | fault))
        if self.random.random() < 0.05:
            self.sandbox.fault(method="POST", path="companies/contacts/batch/read", status=500)
        name = f"{number}: {self._write} before call {self._at}, {fault}"
        asked = {"reason": "", "meta": RequestMeta(), "is_still_in": lambda: True}
        try:
            own = undo(user=self.user, entry=entry, **asked)
        except NotUndoableError as error:
            self._barred(name, entry, error)
        else:
            self._closed(name, own)

    def _linked(self) -> Any:
        from django.utils import timezone

        from tests.associations.linking.base import entry_of

        self._at = 0
        self._pair = self._new("contacts"), self._new("companies")
        ends = dict(zip(("from_object_id", "to_object_id"), self._pair, strict=True))
        self.sandbox.link("contacts", self._pair[0], "companies", self._pair[1])
        if self.random.random() < 0.1:
            self.sandbox.link("contacts", self._pair[0], "companies", self._pair[1], label=LABEL)
        seen = {"was_linked": False, "verified": True, "verified_at": timezone.now()}
        return entry_of(self.user, **ends, **seen)

    def _barred(self, name: str, entry: Any, error: Any) -> None:
        self.counts[f"not undone: {error.bar}"] += 1
        if self.removals or entry.undos.exists():
            self.wrong.append(f"{name}: refused, and yet sent or logged")
        types = self._types()
        says_wrong = {"gone": bool(types), "not_alone": not self._labels()}
        if says_wrong.get(str(error.bar)):
            self.wrong.append(f"{name}: says {error.bar}, and it is not so")

    def _closed(self, name: str, own: Any) -> None:
        from associations.models import AssociationRequest
        from associations.texts.outcomes import explain

        own = AssociationRequest.objects.get(pk=own.pk)
        self.counts[f"{own.outcome}: {own.cause}"] += 1
        if not own.attempts.count() == self.removals > 0:
            self.wrong.append(f"{name}: {own.attempts.count()} attempts, {self.removals} calls")
        is_linked = bool(self._types())
        if own.linked == ("no" if is_linked else "yes"):
            self.wrong.append(f"{name}: says linked {own.linked}, {own.cause}")
        if own.linked == "perhaps":
            self.counts["left open whether linked"] += 1
        if self._lost:
            self._lost_labels(name, own, explain(own))

    def _lost_labels(self, name: str, own: Any, said: Any) -> None:
        """HubSpot has removed a label that came after the last look: that this may be is said."""
        was_seen = LABEL in str(own.links_before)
        is_told = "gone as well" in said.verification or own.linked == "perhaps"
        self.counts["labels lost between look and call, told"] += is_told and not was_seen
        if was_seen or not is_told:
            self.counts["labels lost without being told"] += 1
            self.wrong.append(f"{name}: lost a label; {said.verification}")

    def tell(self, seconds: float) -> None:
        for what, count in sorted(self.counts.items()):
            print(f"  {what}: {count}")
        for line in self.wrong[:20]:
            print(f"! {line}")
        lost = self.counts["labels lost without being told"]
        print(f"wrong: {len(self.wrong)}, labels lost without being told: {lost}, {seconds:.0f} s")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.undo")
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with own_database("undo"):
        start = time.monotonic()
        campaign = _campaign(options.trials, options.seed)
        campaign.tell(time.monotonic() - start)
    return 1 if campaign.wrong else 0


def _campaign(trials: int, seed: int) -> Campaign:
    from django.test import override_settings

    from associations.gateway import clients
    from associations.hubspot.client import Limits
    from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox
    from tests.support import person

    quick = Limits(connect=2, read=2, total=6, attempts=3, pause=0.01)
    with Sandbox() as sandbox:
        hubspot = {"HUBSPOT_API_BASE_URL": sandbox.url, "HUBSPOT_ACCESS_TOKEN": SANDBOX_TOKEN}
        # What bounds one person is not what is looked at here.
        bounds = {"SUBMITS_PER_PERSON_PER_MINUTE": 0, "HUBSPOT_CALLS_PER_10_SECONDS": 100_000}
        with (
            override_settings(**hubspot, **bounds),
            mock.patch("associations.linking.undo.check_looks"),
            mock.patch("associations.linking.undo.PAUSE", 0.0),
        ):
            clients.interactive.cache_clear()
            clients.interactive().limits = quick
            campaign = Campaign(sandbox, person(), seed)
            campaign.take(trials)
            clients.interactive.cache_clear()
    return campaign


if __name__ == "__main__":
    sys.exit(main())
