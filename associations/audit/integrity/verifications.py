"""What runs of `verify_audit_log` have found, as far as one can believe them."""

from collections.abc import Iterator

from associations.audit.integrity import signing
from associations.models import AuditVerification
from associations.models.readable import UNREADABLE

LOOKED_AT = 200


def newest_results() -> list[tuple[AuditVerification, bool]]:
    """Return the newest result that is signed; and one that is not, if it came after that.

    By the time that is signed: an old row that somebody has copied is as old as it was. Raises
    SigningKeyError.
    """
    rows, keys = list(_newest()), signing.trusted_keys().values()
    signed = [row for row in rows if any(k.signed(row.statement, row.signature) for k in keys)]
    newest = max(signed, key=lambda row: row.finished_at, default=None)
    others = (row for row in rows if row not in signed and (not newest or row.pk > newest.pk))
    other = next(others, None)
    return [
        *([(newest, True)] if newest else []),
        *([(other, False)] if other else []),
    ]


def _newest() -> Iterator[AuditVerification]:
    rows = AuditVerification.objects.order_by("-pk")[:LOOKED_AT]
    try:
        yield from list(rows)
    except UNREADABLE:
        for pk in rows.values_list("pk", flat=True):
            try:
                yield AuditVerification.objects.get(pk=pk)
            except UNREADABLE:
                continue  # it is named where all such rows are
