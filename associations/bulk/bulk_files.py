"""What of a bulk run can be taken away as a file."""

from collections.abc import Iterator

from django.http import Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from associations.audit.streaming import http_1_1_required
from associations.bulk.bulk_run import run_of
from associations.bulk.exports import bad_row_lines, result_lines
from associations.models.bulk import NOT_STARTED


@require_safe
@never_cache
@http_1_1_required
def bulk_bad_rows(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The rows that could not be read as they stood in the file, each with its problem."""
    run = run_of(request, pk)
    return _file(bad_row_lines(run), f"hubadmin-run-{pk}-bad-rows.csv")


@require_safe
@never_cache
@http_1_1_required
def bulk_results(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Every row of a run that was started, and what became of it."""
    run = run_of(request, pk)
    if run.state in NOT_STARTED:
        raise Http404
    return _file(result_lines(run), f"hubadmin-run-{pk}-results.csv")


def _file(lines: Iterator[bytes], name: str) -> HttpResponseBase:
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Accel-Buffering"] = "no"  # a proxy shall pass it on as it comes
    return response
