"""What proves the log, for admins to see."""

from collections.abc import Iterator

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from associations.audit.downloads import download
from associations.audit.exports import end_line, readable_lines
from associations.audit.integrity import signing, triggers
from associations.audit.integrity.archive import seal_line
from associations.audit.integrity.candidates import find_unreadable
from associations.audit.integrity.chain_verification import Newest, verify_newest
from associations.audit.integrity.manifest import ManifestError
from associations.audit.integrity.sealing import waiting_for_a_seal
from associations.audit.integrity.strangers import find_strangers
from associations.audit.integrity.verifications import newest_results
from associations.audit.recorder import record_download
from associations.models import AuditSeal, AuditTimestamp, AuditVerification
from associations.models.readable import UNREADABLE, demand_value, read_rows, readable_only
from hubadmin.web.http import AuthenticatedHttpRequest, admin_required

SEALS_SHOWN = 10
COUNTED = 10_001


@require_safe
@admin_required
def integrity(request: AuthenticatedHttpRequest) -> HttpResponse:
    keys = _keys()
    context = {
        "keys": keys,
        "newest": _check_newest() if keys else None,
        "missing_triggers": triggers.problems(),
        "seals": read_rows(AuditSeal.objects.defer("manifest").reverse()[:SEALS_SHOWN]),
        "waiting": _waiting(),
        "unreadable": find_unreadable(),
        "strangers": find_strangers(),
        "counted": COUNTED,
        "results": _results(),
    }
    return render(request, "audit/integrity.html", context)


@require_safe
@admin_required
@download
def seals(request: AuthenticatedHttpRequest) -> HttpResponseBase:
    """Every seal as a line of JSON, what a third party told of them, and an end.

    With an export, all that an auditor needs.
    """
    record_download(request, "seals.jsonl")
    response = StreamingHttpResponse(
        _seal_lines(), content_type="application/x-ndjson; charset=utf-8"
    )
    response["Content-Disposition"] = 'attachment; filename="hubadmin-seals.jsonl"'
    return response


def _keys() -> list[signing.PublicKey]:
    try:
        return list(signing.trusted_keys().values())
    except signing.SigningKeyError:
        return []


def _check_newest() -> Newest | None:
    try:
        return verify_newest()
    except signing.SigningKeyError:
        return None
    except UNREADABLE as error:
        demand_value(error)
        return Newest(None, f"A seal or a pruning was altered: it cannot be read ({error}).")


def _results() -> list[tuple[AuditVerification, bool]]:
    try:
        return newest_results()
    except signing.SigningKeyError:
        return []


def _waiting() -> int:
    try:
        return waiting_for_a_seal(COUNTED)
    except (ManifestError, *UNREADABLE):
        return 0  # a seal that cannot be read does not tell what comes after it


def _seal_lines() -> Iterator[bytes]:
    number = lines = 0
    began_at = timezone.now()
    while found := read_rows(AuditSeal.objects.filter(number__gt=number)[:20]):
        for seal in readable_only(found):
            lines += 1
            yield f"{seal_line(seal)}\n".encode()
        number = found[-1].pk
        if not isinstance(number, int):
            break  # SQLite has it after all numbers
    for _, told in readable_lines("timestamp", AuditTimestamp.objects.order_by("pk")):
        lines += 1
        yield f"{told}\n".encode()
    yield end_line(lines, began_at, query="")
