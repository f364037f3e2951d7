"""What every page knows of HubSpot and of this person's bulk runs."""

from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import cache as cached
from django.http import HttpRequest

from associations.bulk.todo import runs_needing
from associations.hubspot.client import SUPPORT_ENDS
from associations.models import BulkRun
from associations.models.readable import read_rows, readable_only
from associations.sweep.findings import number_changed

if TYPE_CHECKING:
    from hubadmin.models import User

ENDED_RUNS = 3
CHANGED, CHANGED_SECONDS = "changed_links", 60


def with_news(request: HttpRequest) -> "User | None":
    """Return the person if they have runs that may have something to tell; most have none.

    Whoever has no access is told nothing.
    """
    user = getattr(request, "user", None)
    if not (user and user.is_authenticated and user.role):
        return None
    return user if BulkRun.objects.with_news(user).exists() else None


def ended_runs(user: "User | None") -> list[BulkRun]:
    """Return this person's runs that have ended since they last looked, the newest first."""
    if user is None:
        return []
    return readable_only(read_rows(BulkRun.objects.untold(user).order_by("-pk")[:ENDED_RUNS]))


def needing_runs(user: "User | None") -> frozenset[int]:
    """Return the ids of this person's runs that need somebody."""
    return runs_needing(user) if user else frozenset()


def approvals(request: HttpRequest) -> list[BulkRun]:
    """Return the runs for which this person got no approval, and for an admin those that wait."""
    user = getattr(request, "user", None)
    if not (user and user.is_authenticated and user.role) or settings.BULK_APPROVAL_ROWS <= 0:
        return []
    mine = BulkRun.objects.without_approval(user).order_by("-pk")
    found = readable_only(read_rows(mine[:ENDED_RUNS]))
    if user.is_admin:
        others = BulkRun.objects.asked_for().exclude(user=user).order_by("-pk")
        found += readable_only(read_rows(others[:ENDED_RUNS]))
    return found[:ENDED_RUNS]


def changed_links(request: HttpRequest) -> int:
    """Return for an admin how many links are not what they were; counted once a minute."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or not user.is_admin:
        return 0
    return cached.get_or_set(CHANGED, lambda: number_changed(user), CHANGED_SECONDS) or 0


def associations(request: HttpRequest) -> dict[str, object]:
    reader = cache(lambda: with_news(request))
    return {
        # Asked only by a page that shows them, and not by its parts.
        "ended_runs": lambda: ended_runs(reader()),
        "approvals": lambda: approvals(request),
        "needing_runs": cache(lambda: needing_runs(reader())),
        "changed_links": cache(lambda: changed_links(request)),
        "max_upload": settings.BULK_MAX_BYTES,
        "support_ends": SUPPORT_ENDS["v4"] if settings.HUBSPOT_API_VERSION == "v4" else None,
    }
