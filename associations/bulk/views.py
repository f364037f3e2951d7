"""Bulk runs: upload one, try it, start it, watch it, and the list of them."""

import csv
import io
import logging
from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.db import Error as DBError
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from associations.audit.downloads import download
from associations.audit.recorder import record_download, request_meta
from associations.bulk import allowance, approval, mapping, services, undoing
from associations.bulk.corrections import corrections_of, number_to_correct
from associations.bulk.enqueueing import CHUNK_ROWS
from associations.bulk.errors import ApprovalNeededError
from associations.bulk.exports import result_lines, spoken
from associations.bulk.files.headings import FIELDS
from associations.bulk.forms import (
    NOT_KEPT,
    USED_UP,
    ColumnsForm,
    JudgeForm,
    RefusalForm,
    StartForm,
    UploadForm,
)
from associations.bulk.not_ready import ChoicesForm, foreseen_of, found_by_side, groups_of
from associations.bulk.progress import Wait, progress_of, waits_for
from associations.bulk.staging import to_try_again
from associations.bulk.template import EXAMPLES, XLSX, template_workbook
from associations.bulk.todo import todo_of
from associations.gateway.account import offered_to, type_choices
from associations.linking.undo_views import UndoForm
from associations.linking.why_not import too_late
from associations.models import BulkRun, RowState, RunState, SendMode
from associations.models.bulk import ENDED, NOT_STARTED, UNDER_WAY, BulkRunQuerySet
from associations.models.events import OF_RUNS
from associations.models.readable import id_in, read_rows, readable_only, readable_or_404
from associations.texts.remedies import NOT_WRITTEN, helper_of, in_a_row
from hubadmin.web import drafts
from hubadmin.web.access import may_act
from hubadmin.web.http import AuthenticatedHttpRequest

if TYPE_CHECKING:
    from hubadmin.models import User


logger = logging.getLogger(__name__)
LISTED = 50
PART_BYTES = 512 * 1024
# A field that always has something, so that a draft is kept even where only a file was chosen.
SENT = "is_upload"
READY_ROWS_SHOWN = 10
Action = Callable[[AuthenticatedHttpRequest, BulkRun], HttpResponse]


@drafts.kept(*UploadForm.TYPED_FIELDS, SENT)
@require_http_methods(["GET", "HEAD", "POST"])
def bulk_runs(request: AuthenticatedHttpRequest) -> HttpResponse:
    types = type_choices()
    if request.method == "POST":
        form = UploadForm(request.POST, request.FILES, types=types)
        if form.is_valid():
            return _create(request, form)
        return _page(request, form, status=413 if form.is_too_large else 422)
    draft = drafts.find(request)
    if draft is None:
        return _page(request, UploadForm(types=types))
    fields, why = draft
    # Rows that were cut would pass for all of them.
    is_cut = len(fields.get("rows", "")) >= drafts.MAX_KEPT
    if is_cut:
        fields["rows"] = ""
    form = UploadForm(initial=fields.dict(), types=types)
    drafts.drop(request)
    return _page(request, form, notice=why, is_cut=is_cut)


@require_safe
def bulk_template(request: AuthenticatedHttpRequest) -> HttpResponse:
    """A file to fill in: the columns, and two rows as examples."""
    response = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="hubadmin-bulk-run.csv"'
    csv.writer(response).writerows([FIELDS, *EXAMPLES])
    return response


@require_safe
def bulk_template_workbook(request: AuthenticatedHttpRequest) -> HttpResponse:
    """The same for Excel, which keeps every digit of the ids there."""
    response = HttpResponse(template_workbook(), content_type=XLSX)
    response["Content-Disposition"] = 'attachment; filename="hubadmin-bulk-run.xlsx"'
    return response


def _create(request: AuthenticatedHttpRequest, form: UploadForm) -> HttpResponse:
    file = form.cleaned_data["file"]
    field = "file" if file else "rows"
    try:
        run = services.create(
            user=request.user,
            meta=request_meta(request),
            name=file.name if file else "",
            parts=_parts(file or io.BytesIO(form.cleaned_data["rows"].encode())),
            way=SendMode(settings.BULK_WAY),
            **form.for_all_rows(),
        )
    except allowance.UsedUpError:
        form.add_error(field, USED_UP)
        return _page(request, form, status=422, waiting=allowance.runs_waiting(request.user))
    except DBError:
        logger.exception("an upload could not be kept")
        helper = helper_of(NOT_WRITTEN, is_admin=request.user.is_admin)
        form.add_error(field, in_a_row([str(NOT_KEPT), helper]))
        return _page(request, form, status=503)
    drafts.drop(request)
    return redirect(run)


def _parts(file: "UploadedFile[bytes] | io.BytesIO") -> Iterator[bytes]:
    # Not file.chunks(): what is in memory comes in one piece from there.
    return iter(lambda: file.read(PART_BYTES), b"")


def _page(
    request: AuthenticatedHttpRequest, form: UploadForm, *, status: int = 200, **facts: Any
) -> HttpResponse:
    context = (
        facts
        | _list(request)
        | {
            "form": form,
            "object_types": offered_to(request.user, form.types),
            "max_rows": settings.BULK_MAX_ROWS,
            "max_bytes": settings.BULK_MAX_BYTES,
            "sent": SENT,
        }
    )
    return render(request, "bulk/runs.html", context, status=status)


def _list(request: AuthenticatedHttpRequest) -> dict[str, Any]:
    found = _visible(request.user).order_by("-pk")
    before = id_in(request.GET.get("before", ""))
    if before is not None:
        found = found.filter(pk__lt=before)
    is_asked = request.user.is_admin and "asked" in request.GET
    if is_asked:
        found = found.asked_for()
    page = read_rows(found[: LISTED + 1])
    runs = page[:LISTED]
    return {
        "runs": runs,
        "is_older": len(page) > LISTED,
        "is_paged": before is not None,
        "is_asked": is_asked,
        "offers_asked": request.user.is_admin and (is_asked or approval.is_on()),
        "wait": _wait_of_all(readable_only(runs)),
    }


def _wait_of_all(runs: list[BulkRun]) -> Wait | None:
    """What those that are under way wait for: it is the same for each, and asked once."""
    under_way = [run for run in runs if run.state in UNDER_WAY]
    running = [run for run in under_way if run.state == RunState.RUNNING]
    return waits_for((running or under_way)[0]) if under_way else None


def _visible(user: "User") -> BulkRunQuerySet:
    return BulkRun.objects.visible_to(user).defer(
        "problem_facts", "samples", "unused_columns", "chosen"
    )


@require_safe
def bulk_run(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    run = run_of(request, pk)
    _note_seen(request, run)
    context = _context(request, run) | {"has_moved_on": "moved" in request.GET}
    return render(request, "bulk/run.html", context)


@require_safe
def bulk_progress(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """The numbers; once the state has changed, all that depends on it, and a word about it."""
    run = run_of(request, pk)
    if "HX-Request" not in request.headers:
        return redirect(run)
    if run.state == request.GET.get("state") and run.state in UNDER_WAY:
        progress = progress_of(run)
        context = {"run": run, "progress": progress, "wait": progress.waits_for}
        return render(request, "bulk/numbers.html", context)
    _note_seen(request, run)
    response = render(request, "bulk/changed.html", _context(request, run))
    response["HX-Retarget"], response["HX-Reswap"] = "#run", "innerHTML"
    return response


def _note_seen(request: AuthenticatedHttpRequest, run: BulkRun) -> None:
    """Its person is told that it has ended, and need not be told again; HEAD shows nothing."""
    if run.state in ENDED and run.user_id == request.user.pk and request.method == "GET":
        services.mark_seen(user=request.user, run=run)


def run_of(request: AuthenticatedHttpRequest, pk: int) -> BulkRun:
    """Return the run if this person may see it; else there is none."""
    return readable_or_404(BulkRun.objects.visible_to(request.user), pk)


def _context(request: AuthenticatedHttpRequest, run: BulkRun) -> dict[str, Any]:
    context: dict[str, Any] = {
        "run": run,
        "is_own": run.user_id == request.user.pk,
        "progress": progress_of(run),
        "events": read_rows(run.events.filter(what__startswith=OF_RUNS)),
        "retries": run.retries.visible_to(request.user).only("pk"),
        "undos": run.undos.visible_to(request.user).only("pk"),
        "approval": approval.standing_of(run, request.user),
    }
    if mapping.can_be_chosen(run):
        context |= {"columns_form": _columns_form(request, run)}
        context |= {"found": found_by_side(run) if run.state == RunState.READY else {}}
    if run.state in services.TAKEN_OVER:
        context |= {"has_left": not may_act(run.user_id)}
    if run.state == RunState.READY:
        context |= _ready(run) | {"refusal_form": RefusalForm()}
        if run.undoes and undoing.is_too_late(run.undoes, request.user):
            context |= {"too_late": too_late().sentence}
    elif run.state in ENDED:
        can_undo = undoing.can_be_undone(run, request.user)
        context |= _ended(run) | {"undo_form": UndoForm() if can_undo else None}
    return context | {"wait": context["progress"].waits_for}


def _columns_form(request: AuthenticatedHttpRequest, run: BulkRun, data: Any = None) -> ColumnsForm:
    types = offered_to(request.user, type_choices())
    return ColumnsForm(data, run=run, types=types, unique=mapping.unique_for(run))


def _reading_of(run: BulkRun) -> str:
    return run.read_at.isoformat() if run.read_at else ""


def _ready(run: BulkRun) -> dict[str, Any]:
    ready = run.rows.filter(state=RowState.READY).order_by("number")
    return {
        "ready_rows": read_rows(ready[:READY_ROWS_SHOWN]) if run.rows_ready else [],
        "groups": groups_of(run) if run.rows_kept_back else [],
        "choices_form": ChoicesForm(run=run) if run.rows_to_choose else None,
        "to_correct": number_to_correct(run),
        "reading": _reading_of(run),
        **foreseen_of(run),
        "pairs_a_call": CHUNK_ROWS[SendMode.BATCH],
        "not_looked_up": run.rows_ready - run.rows_looked_up,
    }


def _ended(run: BulkRun) -> dict[str, Any]:
    again = to_try_again(run.pk).count() if run.failed else 0
    return {
        "todo": todo_of(run),
        "to_correct": number_to_correct(run),
        "to_try_again": 0 if again and services.is_tried_again(run) else again,
    }


def _action(
    *, own: bool
) -> Callable[[Action], Callable[[AuthenticatedHttpRequest, int], HttpResponse]]:
    """A view that changes a run; if `own`, only for whom it belongs to, as it acts in their name.

    Whoever had to sign in first comes back by a GET, which leads to the run.
    """

    def made(action: Action) -> Callable[[AuthenticatedHttpRequest, int], HttpResponse]:
        @require_http_methods(["GET", "HEAD", "POST"])
        @wraps(action)
        def view(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
            run = run_of(request, pk)
            if request.method != "POST":
                return redirect(run)
            if own and run.user_id != request.user.pk:
                raise PermissionDenied
            try:
                return action(request, run)
            except services.NotPossibleError:
                return redirect(f"{run.get_absolute_url()}?moved")

        return view

    return made


@_action(own=True)
def bulk_start(request: AuthenticatedHttpRequest, run: BulkRun) -> HttpResponse:
    return _as_chosen(request, run, services.start)


@_action(own=True)
def bulk_ask(request: AuthenticatedHttpRequest, run: BulkRun) -> HttpResponse:
    """Have it wait for somebody's approval."""
    return _as_chosen(request, run, approval.ask)


def _as_chosen(
    request: AuthenticatedHttpRequest, run: BulkRun, step: Callable[..., None]
) -> HttpResponse:
    # Whoever said in another tab what the columns mean has not seen here what came of it.
    if request.POST.get("reading") not in (None, _reading_of(run)):
        raise services.NotPossibleError
    form = StartForm(request.POST)
    if not form.is_valid():
        if run.state != RunState.READY:
            raise services.NotPossibleError
        return _run_page(request, run, start_form=form)
    way, skip_linked = SendMode(form.cleaned_data["way"]), form.cleaned_data["skip_linked"]
    chosen = {"way": way, "skip_linked": skip_linked}
    try:
        step(user=request.user, run=run, meta=request_meta(request), **chosen)
    except ApprovalNeededError:
        return _run_page(request, run, needs_approval=True)
    return redirect(run)


def _run_page(request: AuthenticatedHttpRequest, run: BulkRun, **facts: Any) -> HttpResponse:
    """The run's page once more, with what is wrong with what was sent."""
    return render(request, "bulk/run.html", _context(request, run) | facts, status=422)


@_action(own=True)
def bulk_withdraw(request: AuthenticatedHttpRequest, run: BulkRun) -> HttpResponse:
    approval.withdraw(user=request.user, run=run, meta=request_meta(request))
    return redirect(run)


@_action(own=False)
def bulk_approve(request: AuthenticatedHttpRequest, run: BulkRun) -> HttpResponse:
    """Start what somebody else has asked for, as it was shown."""
    form = _judging(request, run, JudgeForm)
    if not form.is_valid():
        raise services.NotPossibleError
    asked = form.cleaned_data["asked"]
    services.approve(user=request.user, run=run, asked=asked, meta=request_meta(request))
    return redirect(run)


@_action(own=False)
def bulk_refuse(request: AuthenticatedHttpRequest, run: BulkRun) -> HttpResponse:
    form = _judging(request, run, RefusalForm)
    if "asked" in form.errors:
        raise services.NotPossibleError
    if not form.is_valid():
        return _run_page(request, run, refusal_form=form)
    chosen = form.cleaned_data
    approval.refuse(user=request.user, run=run, meta=request_meta(request), **chosen)
    return redirect(run)


def _judging(
    request: AuthenticatedHttpRequest, run: BulkRun, form_class: type[JudgeForm]
) -> JudgeForm:
    if not approval.may_judge(request.user, run):
        raise PermissionDenied
    return form_class(request.POST)


@_action(own=True)
def bulk_columns(request: AuthenticatedHttpRequest, run: BulkRun) -> HttpResponse:
    """Have the file read again, its columns meaning what is chosen here."""
    form = _columns_form(request, run, request.POST)
    if not form.is_valid():
        if not mapping.can_be_chosen(run):
            raise services.NotPossibleError
        return _run_page(request, run, columns_form=form)
    how = {name: form.cleaned_data.get(name, "") for name in ("encoding", "sheet")}
    services.read_anew(run=run, meanings=form.chosen, **how)
    return redirect(run)


@_action(own=True)
def bulk_choose(request: AuthenticatedHttpRequest, run: BulkRun) -> HttpResponse:
    """Have the dry run go on with the records that are chosen among several."""
    if run.state != RunState.READY or request.POST.get("reading") not in (None, _reading_of(run)):
        raise services.NotPossibleError
    form = ChoicesForm(request.POST, run=run)
    if not form.is_valid():
        return _run_page(request, run, choices_form=form)
    services.choose(run=run, choices=form.chosen)
    return redirect(run)


@_action(own=False)
def bulk_pause(request: AuthenticatedHttpRequest, run: BulkRun) -> HttpResponse:
    services.pause(user=request.user, run=run, meta=request_meta(request))
    return redirect(run)


@_action(own=False)
def bulk_go_on(request: AuthenticatedHttpRequest, run: BulkRun) -> HttpResponse:
    services.resume(user=request.user, run=run, meta=request_meta(request))
    return redirect(run)


@_action(own=False)
def bulk_cancel(request: AuthenticatedHttpRequest, run: BulkRun) -> HttpResponse:
    services.cancel(user=request.user, run=run, meta=request_meta(request))
    return redirect(run)


@_action(own=False)
def bulk_take_over(request: AuthenticatedHttpRequest, run: BulkRun) -> HttpResponse:
    """Go on in one's own name with the run of somebody who may not act any more; for admins."""
    if not request.user.is_admin:
        raise PermissionDenied
    return redirect(services.take_over(user=request.user, run=run, meta=request_meta(request)))


@_action(own=True)
def bulk_discard(request: AuthenticatedHttpRequest, run: BulkRun) -> HttpResponse:
    services.discard(run=run, user=request.user, meta=request_meta(request))
    return redirect("bulk_runs")


@_action(own=True)
def bulk_retry(request: AuthenticatedHttpRequest, run: BulkRun) -> HttpResponse:
    return _new_run(request, partial(services.retry, run=run))


@_action(own=False)
def bulk_undo(request: AuthenticatedHttpRequest, run: BulkRun) -> HttpResponse:
    """Make a run that takes back what this one has linked; nothing is sent before it is started."""
    form = UndoForm(request.POST)
    if not form.is_valid():
        if not undoing.can_be_undone(run, request.user):
            raise services.NotPossibleError
        return _run_page(request, run, undo_form=form)
    return _new_run(request, partial(services.undo, run=run, reason=form.cleaned_data["reason"]))


def _new_run(request: AuthenticatedHttpRequest, make: Callable[..., BulkRun]) -> HttpResponse:
    try:
        return redirect(make(user=request.user, meta=request_meta(request)))
    except allowance.UsedUpError:
        waiting = allowance.runs_waiting(request.user)
        form = UploadForm(types=type_choices())
        return _page(request, form, status=422, waiting=waiting, used_up=USED_UP)


@require_safe
@download
def bulk_bad_rows(request: AuthenticatedHttpRequest, pk: int) -> HttpResponseBase:
    """The rows that need somebody as they stood in the file, each with its problem."""
    run = run_of(request, pk)
    if run.state in (RunState.READING, RunState.UNREADABLE) or run.undoes_id:
        raise Http404  # else a part of them would pass for all
    file = corrections_of(run, type_choices().resolve)
    if request.method == "GET":
        services.mark_attended(user=request.user, run=run)
    return _file(request, run, f"bad-rows.{file.suffix}", file.content, file.content_type)


@require_safe
@download
def bulk_results(request: AuthenticatedHttpRequest, pk: int) -> HttpResponseBase:
    """Every row of a run that was started, or that somebody is to approve, and how it stands."""
    run = run_of(request, pk)
    if run.state in NOT_STARTED and not run.is_asked_for:
        raise Http404
    return _file(request, run, "results.csv", result_lines(run))


def _file(
    request: AuthenticatedHttpRequest,
    run: BulkRun,
    name: str,
    lines: Iterator[bytes],
    content_type: str = "text/csv; charset=utf-8",
) -> HttpResponseBase:
    record_download(request, name, run=run)
    response = StreamingHttpResponse(spoken(lines), content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="hubadmin-run-{run.pk}-{name}"'
    return response
