"""Many links that are gone, as a run: its dry run, approval and pause hold for them, too."""

import csv
import io
from collections.abc import Iterator

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from associations.audit.recorder import request_meta
from associations.bulk import allowance, services
from associations.models import AssociationCheck, SendMode
from associations.sweep.findings import LINKED_AGAIN, rows_like
from associations.sweep.views import finding_or_404, page
from hubadmin.web.http import AuthenticatedHttpRequest

HEADER = ("from type", "from id", "to type", "to id", "reason")
ROWS_AT_ONCE, PART_CHARACTERS = 2_000, 256 * 1024


@require_http_methods(["GET", "HEAD", "POST"])
def link_again(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Stage all that was found with one finding as a run; nothing is sent before its start.

    Whoever had to sign in first comes back by a GET, which leads to the list.
    """
    check = finding_or_404(request, pk)
    if request.method != "POST" or check.finding not in LINKED_AGAIN:
        return redirect("changed")
    rows = rows_like(request.user, check).select_related("entry")[: settings.BULK_MAX_ROWS]
    name = gettext("links that changed, found {day}").format(day=f"{check.checked_at:%Y-%m-%d}")
    try:
        run = services.create(
            user=request.user,
            meta=request_meta(request),
            name=f"{name}.csv",
            parts=_parts(rows.iterator(ROWS_AT_ONCE)),
            way=SendMode(settings.BULK_WAY),
        )
    except allowance.UsedUpError:
        return page(request, status=422, used_up=True)
    return redirect(run)


def _parts(checks: Iterator[AssociationCheck]) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    for check in checks:
        writer.writerow(_row(check))
        if text.tell() >= PART_CHARACTERS:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _row(check: AssociationCheck) -> tuple[str, ...]:
    entry = check.entry
    from_id = check.from_merged_into or entry.from_object_id
    to_id = check.to_merged_into or entry.to_object_id
    return entry.from_object_type, from_id, entry.to_object_type, to_id, entry.reason
