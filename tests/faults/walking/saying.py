"""One thing that a page says, and whom and what it says it of."""

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.utils import timezone

from associations.models import AssociationRequest, BulkRow, BulkRun, CallPause
from tests.faults.walking.hubspot import Heard, Pair
from tests.faults.walking.linking_steps import LABELS, fields_of, pair_in
from tests.faults.walking.pages import Page, Text
from tests.faults.walking.world import World, pair_of

MADE_WITHIN = timedelta(seconds=10)  # a page, on a busy machine, and what it is held against
_NAMES = {label.lower(): name for name, label in LABELS.items()}


@dataclass
class Saying:
    """`found` is what the pattern matched in `text`."""

    world: World
    page: Page
    text: Text
    found: re.Match[str]

    def number(self, name: str = "n") -> int:
        return int(self.found[name].replace(",", ""))

    @cached_property
    def entry(self) -> AssociationRequest:
        entries = AssociationRequest.objects.select_related("run")
        return self._known("entry", self._entry_id(), entries)

    def _entry_id(self) -> int:
        if self.text.about and self.text.about[0] == "entry":
            return self.text.about[1]
        if self.page.rows:
            return int(self.row["entry"])
        if told := re.fullmatch(r"/\?linked=(\d+)", self.page.address):
            return int(told[1])
        return self._in_address("requests")

    @cached_property
    def run(self) -> BulkRun:
        about = self.text.about
        pk = about[1] if about and about[0] == "run" else self._in_address("bulk")
        return self._known("run", pk, BulkRun.objects)

    def _known(self, kind: str, pk: int, found: Any) -> Any:
        known = self.page.known
        if (kind, pk) not in known:
            known[kind, pk] = found.get(pk=pk)
        return known[kind, pk]

    def _in_address(self, folder: str) -> int:
        found = re.match(rf"/{folder}/(\d+)/", self.page.address)
        if found is None:
            raise LookupError(f"{self.page.address} is about none of the {folder}")
        return int(found[1])

    @cached_property
    def row(self) -> dict[str, str]:
        # Only asked of a cell, which is about a row and its column.
        return self.page.rows[self.text.about[1]]  # type: ignore[index]

    @cached_property
    def staged(self) -> BulkRow:
        return BulkRow.objects.get(run=self.run, number=int(self.row["row"]))

    @cached_property
    def pair(self) -> Pair:
        """The two records of a preview."""
        query = parse_qs(urlsplit(self.page.address).query)
        given = {name: values[-1] for name, values in query.items()} | self.page.fields
        return pair_in({name: given[name] for name in fields_of(((LABELS_FIRST, ""),) * 2)})

    @property
    def calls(self) -> list[Heard]:
        """What HubSpot heard for this entry."""
        return calls_for(self.world, self.entry)

    @property
    def calls_of_run(self) -> list[Heard]:
        actor = f"run {self.run.pk}"
        return [each for each in self.world.portal.heard if each.actor == actor]

    @property
    def calls_of_step(self) -> list[Heard]:
        since = self.world.step_began
        return [each for each in self.world.portal.heard if each.at >= since]

    def record(self, name: str) -> tuple[str, str]:
        """The record that is named, such as contact 383."""
        label, _, number = self.found[name].rpartition(" ")
        return _NAMES[label.lower()], number


LABELS_FIRST = next(iter(LABELS))


def calls_for(world: World, entry: AssociationRequest) -> list[Heard]:
    actor = f"run {entry.run_id}" if entry.run_id else "form"
    until = entry.finished_at or world.now
    return world.portal.calls(actor, pair_of(entry), entry.created_at, until)


def pause_of_the_page() -> CallPause | None:
    """Return what all runs wait for, or waited for when the page was made."""
    return CallPause.objects.filter(until__gt=timezone.now() - MADE_WITHIN).first()
