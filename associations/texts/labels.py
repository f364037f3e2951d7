"""What people read for codes, fields, times, object types and records.

The database, addresses and exports keep the codes.
"""

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from associations.gateway.account import custom_label
from associations.hubspot.object_types import CATALOGUE, STANDARD, stored_type
from associations.hubspot.unseen import visible
from associations.models.readable import UnreadableRow

if TYPE_CHECKING:
    from associations.models import AssociationCheck, AssociationRequest

WORDS = {
    # outcomes
    "queued": pgettext_lazy("outcome", "queued"),
    "sending": pgettext_lazy("outcome", "sending"),
    "linked": pgettext_lazy("outcome", "linked"),
    "unlinked": pgettext_lazy("outcome", "unlinked"),
    "unconfirmed": pgettext_lazy("outcome", "unconfirmed"),
    "rejected": pgettext_lazy("outcome", "rejected"),
    "unreachable": pgettext_lazy("outcome", "unreachable"),
    "canceled": pgettext_lazy("outcome", "canceled"),
    # whether the records are linked
    "yes": pgettext_lazy("are they linked?", "yes"),
    "perhaps": pgettext_lazy("are they linked?", "perhaps"),
    "no": pgettext_lazy("are they linked?", "no"),
    # causes
    "confirmed": pgettext_lazy("cause", "confirmed"),
    "in_progress": pgettext_lazy("cause", "in progress"),
    "not_shown": pgettext_lazy("cause", "not shown"),
    "partly_failed": pgettext_lazy("cause", "partly failed"),
    "unknown_status": pgettext_lazy("cause", "unknown status"),
    "unreadable": pgettext_lazy("cause", "unreadable"),
    "canceled_by_hubspot": pgettext_lazy("cause", "canceled by HubSpot"),
    "unknown_object_type": pgettext_lazy("cause", "unknown object type"),
    "record_not_found": pgettext_lazy("cause", "record not found"),
    "no_default_type": pgettext_lazy("cause", "no default type"),
    "association_limit": pgettext_lazy("cause", "association limit"),
    "same_record": pgettext_lazy("cause", "same record"),
    "refused": pgettext_lazy("cause", "refused"),
    "redirected": pgettext_lazy("cause", "redirected"),
    "token_refused": pgettext_lazy("cause", "token refused"),
    "scope_missing": pgettext_lazy("cause", "scope missing"),
    "forbidden": pgettext_lazy("cause", "forbidden"),
    "locked": pgettext_lazy("cause", "locked"),
    "rate_limited": pgettext_lazy("cause", "rate limited"),
    "daily_limit": pgettext_lazy("cause", "daily limit"),
    "migrating": pgettext_lazy("cause", "migrating"),
    "hubspot_error": pgettext_lazy("cause", "HubSpot's error"),
    "hubspot_down": pgettext_lazy("cause", "HubSpot down"),
    "timed_out": pgettext_lazy("cause", "timed out"),
    "connection_lost": pgettext_lazy("cause", "connection lost"),
    "interrupted": pgettext_lazy("cause", "interrupted"),
    "no_connection": pgettext_lazy("cause", "no connection"),
    "not_sent": pgettext_lazy("cause", "not sent"),
    "access_ended": pgettext_lazy("cause", "access ended"),
    "seen_gone": pgettext_lazy("cause", "seen gone"),
    "still_linked": pgettext_lazy("cause", "still linked"),
    "not_seen_gone": pgettext_lazy("cause", "not seen gone"),
    "already_gone": pgettext_lazy("cause", "gone already"),
    "not_alone": pgettext_lazy("cause", "linked in other ways, too"),
    "merged": pgettext_lazy("cause", "merged since"),
    "not_seen_alone": pgettext_lazy("cause", "not seen before"),
    # exports
    "running": pgettext_lazy("export", "not ended"),
    "complete": pgettext_lazy("export", "complete"),
    "aborted": pgettext_lazy("export", "aborted"),
}

ICONS = {
    "linked": "✓",
    "unlinked": "↶",
    "unconfirmed": "?",
    "rejected": "✕",
    "unreachable": "⚠",
    "queued": "…",
    "sending": "◌",
    "canceled": "\N{EN DASH}",
}
HOUR = "H:i"
# What may have been filled in where no form is at hand to name its fields.
FIELDS = {
    "from_object_type": _("From: type"),
    "from_object_id": pgettext_lazy("record", "From"),
    "to_object_type": _("To: type"),
    "to_object_id": pgettext_lazy("record", "To"),
    "also": _("Further records"),
    "reason": _("Reason"),
    "rows": _("Rows"),
}


# `why` are the columns that hold what they must not, or the database's own words.
_CANNOT_BE_READ = {
    "AssociationRequest": _("Entry {number} cannot be read: {why}"),
    "AssociationAttempt": _("Attempt {number} cannot be read: {why}"),
    "AssociationCheck": _("Check {number} cannot be read: {why}"),
    "AssociationBatch": _("Batch {number} cannot be read: {why}"),
    "AuditSeal": _("Seal {number} cannot be read: {why}"),
    "AuditExport": _("Export {number} cannot be read: {why}"),
    "AuditVerification": _("Verification {number} cannot be read: {why}"),
    "BulkRun": _("Run {number} cannot be read: {why}"),
    "SecurityEvent": _("Event {number} cannot be read: {why}"),
}
_OF_HUBSPOT = {each.canonical: each.label for each in CATALOGUE}


def word_for(code: str) -> str:
    """Return the word for an outcome, a cause, an export's state or "linked?"; else the code."""
    return str(WORDS.get(code) or visible(str(code)))


def cannot_be_read(row: UnreadableRow) -> str:
    """Return what is said in the place of a row that cannot be read."""
    sentence = _CANNOT_BE_READ.get(row.model.__name__, _("Row {number} cannot be read: {why}"))
    return visible(str(sentence).format(number=row.pk, why=row.why))


def icon(outcome: str) -> str:
    return ICONS.get(outcome, "")


def field_label(name: str) -> str:
    """Return what people call a field, such as From for `from_object_id`."""
    return str(FIELDS.get(name) or name.replace("_", " ").capitalize())


def time_of(moment: datetime, *, brief: bool = False) -> str:
    """Return a moment and its zone as HTML, for sentences that name it.

    In brief that is the hour and minute, if the moment is of the reader's present day.
    """
    written = HOUR if brief and is_today(moment) else "DATETIME_FORMAT"
    return time_element(moment, written, zone=True)


def time_element(moment: datetime, written: str, *, zone: bool) -> SafeString:
    """Return a moment as HTML, on the reader's clock and exactly; `written` as Django has it."""
    local = timezone.localtime(moment)
    # Each row of a list has an hour, for which Django's own way takes ten times as long.
    shown = f"{local:%H:%M}" if written == HOUR else date_format(local, written)
    said_zone = f" {local.tzname()}" if zone else ""
    return SafeString(
        f'<time datetime="{local.isoformat()}"\n  title="{exactly(moment)}">'
        f"{escape(shown)}{escape(said_zone)}</time>"
    )


def exactly(moment: datetime) -> str:
    """Return a moment to the second: 2026-03-04 09:05:06 UTC."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(' ', 'seconds')} UTC"


def is_today(moment: datetime) -> bool:
    """Whether it is of the day that it is now where the reader is."""
    return timezone.localdate(moment) == timezone.localdate()


def type_label(object_type: str) -> str:
    """Return what the reader calls a stored object type: HubSpot's own, or one of the account's."""
    if label := _OF_HUBSPOT.get(object_type):
        return gettext(label)
    known = stored_type(object_type)
    if known.label != known.canonical:
        return gettext(known.label)
    return custom_label(known.canonical) or known.label


def type_within_a_sentence(object_type: str) -> str:
    """`contact`; but what a company calls its own objects stays as it is."""
    label = visible(type_label(object_type))
    return label[0].lower() + label[1:] if object_type in STANDARD else label


def record_label(object_type: str, object_id: str) -> str:
    """Return what the reader calls a record, such as Contact 501."""
    return visible(f"{type_label(object_type)} {object_id}")


def from_label(entry: "AssociationRequest") -> str:
    return record_label(entry.from_object_type, entry.from_object_id)


def to_label(entry: "AssociationRequest") -> str:
    return record_label(entry.to_object_type, entry.to_object_id)


def from_called(entry: "AssociationRequest") -> str:
    """Return what the record was called, if that is kept; else its label."""
    return visible(entry.from_name) or from_label(entry)


def to_called(entry: "AssociationRequest") -> str:
    return visible(entry.to_name) or to_label(entry)


def merged_text(object_type: str, object_id: str, merged_into: str) -> str:
    """Say that HubSpot has a record under another id than was asked for; empty if it has not."""
    if not merged_into:
        return ""
    text = gettext("{record} was merged into {other}.")
    return text.format(record=record_label(object_type, object_id), other=merged_into)


def merges_of(
    entry: "AssociationRequest", seen: "AssociationRequest | AssociationCheck | None" = None
) -> str:
    """Say into what an entry's records were merged, by itself or by a later check."""
    seen = seen or entry
    if not (seen.from_merged_into or seen.to_merged_into):
        return ""
    sides = (
        merged_text(entry.from_object_type, entry.from_object_id, seen.from_merged_into),
        merged_text(entry.to_object_type, entry.to_object_id, seen.to_merged_into),
    )
    return " ".join(filter(None, sides))
