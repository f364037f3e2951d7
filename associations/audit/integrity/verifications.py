"""What runs of `verify_audit_log` have found, as far as one can believe them."""

from collections.abc import Iterator

from django.db.models import QuerySet

from associations.audit.integrity import signing
from associations.models import AuditVerification
from associations.models.readable import read_rows, readable_only

LOOKED_AT = 10_000  # of whatever somebody has made up
_AT_ONCE = 200


def newest_results() -> list[tuple[AuditVerification, bool]]:
    """Return the newest result that is signed; and one that is not, if it came after that.

    By the time that is signed: an old row that somebody has copied is as old as it was. Raises
    SigningKeyError.
    """
    keys = signing.trusted_keys().values()

    def is_signed(row: AuditVerification) -> bool:
        return any(key.signed(row.statement, row.signature) for key in keys)

    results = AuditVerification.objects.all()
    by_time = results.exclude(signature="").order_by("-finished_at", "-pk")
    newest = next(filter(is_signed, _readable(by_time)), None)
    later = results.filter(pk__gt=newest.pk) if newest else results
    other = next((row for row in _readable(later.order_by("-pk")) if not is_signed(row)), None)
    return [
        *([(newest, True)] if newest else []),
        *([(other, False)] if other else []),
    ]


def _readable(rows: QuerySet[AuditVerification]) -> Iterator[AuditVerification]:
    for start in range(0, LOOKED_AT, _AT_ONCE):
        part = read_rows(rows[start : start + _AT_ONCE])
        yield from readable_only(part)  # the others are named where all such rows are
        if len(part) < _AT_ONCE:
            return
