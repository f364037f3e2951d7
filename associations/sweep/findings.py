"""What the daily look has found and what is still so, many of one pattern as one row."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Case, Count, Max, QuerySet, When
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from associations.finding.names import Named, remembered
from associations.hubspot.unseen import visible
from associations.models import AssociationCheck, EventKind, Finding, SecurityEvent
from associations.models.querysets import CHANGED
from associations.models.readable import (
    first_readable,
    read_rows,
    readable_only,
    with_readable,
)
from associations.texts.labels import type_label

if TYPE_CHECKING:
    from hubadmin.models import User

GROUPS_SHOWN, ROWS_SHOWN, COUNTED = 200, 100, 1_000
# By linking the two again this is put right.
LINKED_AGAIN = (Finding.GONE, Finding.OTHER_TYPE)
# Found on one day, of one kind, between two types, of one run or else linked on one day.
_PATTERN = (
    *("found_on", "finding", "entry__from_object_type", "entry__to_object_type"),
    *("entry__run", "linked_on"),
)
_SHOWN = ("entry__names", "entry__run")


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one pattern: the newest of them, and how many there are."""

    check: AssociationCheck
    named: Named
    count: int

    @property
    def text(self) -> str:
        """`All 240 links of the run “contacts.csv”`, or of two types where no run made them."""
        entry, run = self.check.entry, self.check.entry.run
        if run is None:
            what = f"{type_label(entry.from_object_type)} → {type_label(entry.to_object_type)}"
            text = ngettext("{count} link {what}", "{count} links {what}", self.count)
            return text.format(count=self.count, what=what)
        if self.count == run.linked:
            text = gettext("All {count} links of run {run} “{name}”")
        else:
            text = gettext("{count} of {linked} links of run {run} “{name}”")
        name = visible(run.name) or gettext("pasted rows")
        return text.format(count=self.count, linked=run.linked, run=run.pk, name=name)

    @property
    def can_be_linked(self) -> bool:
        return self.check.finding in LINKED_AGAIN


def found(user: "User | None") -> QuerySet[AssociationCheck]:
    """What was found within the days that are swept, as far as this person may see it.

    None is whoever has a shell.
    """
    since = timezone.now() - timedelta(days=settings.SWEEP_DAYS)
    checks = AssociationCheck.objects.standing().filter(checked_at__gte=since)
    return with_readable(
        checks if user is None or user.is_admin else checks.filter(entry__user=user)
    )


def number_changed(user: "User | None") -> int:
    """How many links are not what they were, counted no further than COUNTED; None: of anybody."""
    return found(user).filter(finding__in=CHANGED)[:COUNTED].count()


def groups_for(user: "User") -> list[Group]:
    """Return the newest patterns first."""
    counted = _with_pattern(found(user)).order_by().values(*_PATTERN)
    counted = counted.annotate(newest=Max("pk"), count=Count("pk")).order_by("-newest")
    counts = dict(counted.values_list("newest", "count")[:GROUPS_SHOWN])
    return [Group(check, named, counts[check.pk]) for check, named in _named(counts)]


def rows_like(user: "User", check: AssociationCheck) -> QuerySet[AssociationCheck]:
    """Return what was found of the same pattern, the newest first."""
    checks = _with_pattern(found(user))
    pattern = _with_pattern(AssociationCheck.objects.filter(pk=check.pk)).values(*_PATTERN).get()
    return checks.filter(**pattern).order_by("-pk")


def shown(checks: QuerySet[AssociationCheck]) -> list[Group]:
    """Return the first of these, each as a group of its own."""
    pks = list(checks.values_list("pk", flat=True)[:ROWS_SHOWN])
    return [Group(check, named, 1) for check, named in _named(pks)]


def last_told() -> SecurityEvent | None:
    """Return what the log was told of the last day that was swept."""
    events = SecurityEvent.objects.filter(what=EventKind.LINKS_SWEPT).order_by("-pk")
    return first_readable(events)


def _with_pattern(checks: QuerySet[AssociationCheck]) -> Any:
    by_hand = When(entry__run=None, then=TruncDate("entry__created_at"))
    return checks.annotate(found_on=TruncDate("checked_at"), linked_on=Case(by_hand))


def _named(pks: Any) -> Iterator[tuple[AssociationCheck, Named]]:
    """The checks of these ids with the names that are known here, the newest first."""
    rows = AssociationCheck.objects.filter(pk__in=list(pks)).order_by("-pk")
    checks = readable_only(read_rows(rows.select_related("entry", *_SHOWN)))
    names, _are_all_known = remembered(check.entry for check in checks)
    return zip(checks, names, strict=True)
