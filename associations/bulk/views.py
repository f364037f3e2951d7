"""Bulk runs: upload one, and the list of them."""

import csv
import io
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import Error as DBError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_safe

from associations.audit.origin import origin_of
from associations.bulk import services as runs
from associations.bulk.files.column_names import FIELDS
from associations.bulk.forms import NOT_KEPT, UploadForm
from associations.gateway.account import offered_to, type_choices
from associations.models import BulkRun, Way
from hubadmin.web import drafts

if TYPE_CHECKING:
    from hubadmin.models import User

logger = logging.getLogger(__name__)

LISTED = 50
PART_BYTES = 512 * 1024
# A field that always has something, so that a draft is kept even where only a file was chosen.
SENT = "is_upload"
_EXAMPLES = (
    ("Contact", "501", "Company", "902", "SUP-1234"),
    ("Deal", "77", "Company", "902", "SUP-1234"),
)


@drafts.kept(*UploadForm.TYPED_FIELDS, SENT)
@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(private=True, max_age=0)
def bulk_runs(request: HttpRequest) -> HttpResponse:
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
def bulk_template(request: HttpRequest) -> HttpResponse:
    """A file to fill in: the columns, and two rows as examples."""
    response = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="hubadmin-bulk-run.csv"'
    csv.writer(response).writerows([FIELDS, *_EXAMPLES])
    return response


def _create(request: HttpRequest, form: UploadForm) -> HttpResponse:
    file = form.cleaned_data["file"]
    try:
        run = runs.create(
            user=request.user,
            origin=origin_of(request),
            name=file.name if file else "",
            parts=_parts(file or io.BytesIO(form.cleaned_data["rows"].encode())),
            way=Way(settings.BULK_WAY),
            **form.for_all_rows(),
        )
    except DBError:
        logger.exception("an upload could not be kept")
        form.add_error("file" if file else "rows", NOT_KEPT)
        return _page(request, form, status=503)
    drafts.drop(request)
    return redirect(run)


def _parts(file: UploadedFile | io.BytesIO) -> Iterator[bytes]:
    # Not file.chunks(): what is in memory comes in one piece from there.
    return iter(lambda: file.read(PART_BYTES), b"")


def _page(request: HttpRequest, form: UploadForm, *, status: int = 200, **facts: Any) -> Any:
    context = (
        facts
        | _list(request)
        | {
            "form": form,
            "object_types": offered_to(request.user, form.types),
            "max_rows": settings.BULK_MAX_ROWS,
            "max_bytes": settings.BULK_MAX_BYTES,
            "max_pasted": settings.MAX_REQUEST_BYTES,
            "sent": SENT,
        }
    )
    return render(request, "bulk/runs.html", context, status=status)


def _list(request: HttpRequest) -> dict[str, Any]:
    found = _visible(request.user).order_by("-pk")
    before = request.GET.get("before", "")
    is_paged = before.isascii() and before.isdecimal() and len(before) <= 18
    if is_paged:
        found = found.filter(pk__lt=int(before))
    page = list(found[: LISTED + 1])
    return {"runs": page[:LISTED], "is_older": len(page) > LISTED, "is_paged": is_paged}


def _visible(user: "User") -> Any:
    return BulkRun.objects.visible_to(user).defer("problem_facts", "samples", "unused_columns")
