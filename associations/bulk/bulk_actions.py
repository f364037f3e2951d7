"""What people do with a bulk run."""

from collections.abc import Callable
from functools import wraps

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from associations.audit.origin import origin_of
from associations.bulk import services as runs
from associations.bulk.bulk_run import run_of
from associations.bulk.forms import StartForm
from associations.models import BulkRun, Way

Action = Callable[[HttpRequest, BulkRun], HttpResponse]


def _action(*, own: bool) -> Callable[[Action], Callable[[HttpRequest, int], HttpResponse]]:
    """A view that changes a run; if `own`, only for whom it belongs to, as it acts in their name.

    Whoever had to sign in first comes back by a GET, which leads to the run.
    """

    def made(action: Action) -> Callable[[HttpRequest, int], HttpResponse]:
        @require_http_methods(["GET", "HEAD", "POST"])
        @wraps(action)
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            run = run_of(request, pk)
            if request.method != "POST":
                return redirect(run)
            if own and run.user_id != request.user.pk:
                raise PermissionDenied
            try:
                return action(request, run)
            except runs.NotPossibleError:
                return redirect(f"{run.get_absolute_url()}?moved")

        return view

    return made


@_action(own=True)
def bulk_start(request: HttpRequest, run: BulkRun) -> HttpResponse:
    form = StartForm(request.POST)
    if not form.is_valid():
        return redirect(run)
    way, skip_linked = Way(form.cleaned_data["way"]), form.cleaned_data["skip_linked"]
    runs.start(user=request.user, run=run, way=way, skip_linked=skip_linked)
    return redirect(run)


@_action(own=False)
def bulk_pause(request: HttpRequest, run: BulkRun) -> HttpResponse:
    runs.pause(user=request.user, run=run)
    return redirect(run)


@_action(own=False)
def bulk_go_on(request: HttpRequest, run: BulkRun) -> HttpResponse:
    runs.go_on(user=request.user, run=run)
    return redirect(run)


@_action(own=False)
def bulk_cancel(request: HttpRequest, run: BulkRun) -> HttpResponse:
    runs.cancel(user=request.user, run=run)
    return redirect(run)


@_action(own=True)
def bulk_discard(request: HttpRequest, run: BulkRun) -> HttpResponse:
    runs.discard(run=run)
    return redirect("bulk_runs")


@_action(own=True)
def bulk_retry(request: HttpRequest, run: BulkRun) -> HttpResponse:
    return redirect(runs.retry(user=request.user, origin=origin_of(request), run=run))
