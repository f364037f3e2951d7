"""One bulk run: its page, and the part of it that stays up to date by itself."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from associations.bulk import services as runs
from associations.bulk.dry_run import FAILED
from associations.bulk.enqueueing import CHUNK_ROWS
from associations.bulk.progress import UNDER_WAY, progress_of
from associations.models import BulkRun, RowState, RunState, Way
from associations.models.bulk import ENDED

BAD_ROWS_SHOWN = 100
FAILED_SHOWN = 50


@require_safe
@never_cache
def bulk_run(request: HttpRequest, pk: int) -> HttpResponse:
    run = run_of(request, pk)
    if run.state in ENDED and run.user_id == request.user.pk:
        runs.tell(user=request.user, run=run)
    context = _context(request, run) | {"has_moved_on": "moved" in request.GET}
    return render(request, "bulk/run.html", context)


@require_safe
@never_cache
def bulk_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """The numbers; once the state has changed, all that depends on it, and a word about it."""
    run = run_of(request, pk)
    if "HX-Request" not in request.headers:
        return redirect(run)
    if run.state == request.GET.get("state") and run.state in UNDER_WAY:
        context = {"run": run, "progress": progress_of(run)}
        return render(request, "bulk/progress.html", context)
    if run.state in ENDED and run.user_id == request.user.pk:
        runs.tell(user=request.user, run=run)
    response = render(request, "bulk/changed.html", _context(request, run))
    response["HX-Retarget"], response["HX-Reswap"] = "#run", "innerHTML"
    return response


def run_of(request: HttpRequest, pk: int) -> BulkRun:
    """Return the run if this person may see it; else there is none."""
    visible = BulkRun.objects.visible_to(request.user).select_related("retry_of")
    return get_object_or_404(visible, pk=pk)


def _context(request: HttpRequest, run: BulkRun) -> dict[str, Any]:
    context = {
        "run": run,
        "is_own": run.user_id == request.user.pk,
        "progress": progress_of(run),
        "events": run.events.all(),
        "retries": run.retries.visible_to(request.user),
    }
    if run.state == RunState.READY:
        context |= _ready(run)
    elif run.state in ENDED and run.failed:
        failed = run.entries.filter(outcome__in=FAILED).prefetch_related("attempts")
        context["failed"] = failed.order_by("row_number")[:FAILED_SHOWN]
    return context


def _ready(run: BulkRun) -> dict[str, Any]:
    bad = run.rows.filter(state=RowState.INVALID).order_by("number")
    return {
        "bad_rows": bad[:BAD_ROWS_SHOWN] if run.rows_invalid else [],
        "bad_rows_left": max(0, run.rows_invalid - BAD_ROWS_SHOWN),
        "not_linked_yet": run.rows_ready - run.rows_linked,
        "pairs_a_call": CHUNK_ROWS[Way.BATCH],
        "is_looked_up": settings.HUBSPOT_VERIFY and not run.lookup_cause,
    }
