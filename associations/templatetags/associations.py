"""What the templates need to show entries."""

from collections.abc import Iterable
from datetime import timedelta

from django import template
from django.conf import settings
from django.template import Context
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from associations.audit.entry_details import directions, told_errors
from associations.finding.shown_record import ShownRecord
from associations.hubspot.record_references import record_url
from associations.hubspot.schemas import Record
from associations.hubspot.unseen import visible
from associations.models import AssociationCheck, AssociationRequest
from associations.sweep.findings import Group
from associations.sweep.texts import Told, told_of
from associations.templatetags.cells import foreign
from associations.texts.days import Day, by_day
from associations.texts.labels import (
    cannot_be_read,
    field_label,
    from_label,
    icon,
    is_today,
    merges_of,
    time_of,
    to_label,
    type_label,
    word_for,
)
from associations.texts.lookup_errors import reason_of
from associations.texts.missing_records import is_missing
from associations.texts.outcomes import beside_outcome
from associations.texts.remedies import NOT_WRITTEN, gap, helper_of, remedy_of
from associations.texts.undone import types_seen

register = template.Library()

register.filter("beside_outcome", beside_outcome)
register.filter("directions", directions)
register.filter("told_errors", told_errors)
register.filter("word", word_for)
register.filter("type_label", type_label)
register.filter("from_label", from_label)
register.filter("to_label", to_label)
register.filter("icon", icon)
register.filter("is_today", is_today)
register.filter("by_day", by_day)
register.filter("as_words", field_label)
register.filter("reason_of", reason_of)
register.filter("types_seen", types_seen)
register.filter("visible", visible)
register.filter("cannot_be_read", cannot_be_read)
register.simple_tag(time_of)
register.simple_tag(gap)


@register.filter
def name_for(shown: ShownRecord | None, side: str) -> SafeString:
    """What a button calls a side's record; where it is long, its end is heard but not seen."""
    name = visible(shown.name) if shown else ""
    return format_html('<bdi class="cut" data-name="{}">{}</bdi>', side, name)


@register.filter
def named_record(record: Record) -> SafeString:
    """A record by its name and id; by its id alone where it has no name, or none is known."""
    if not record.name:
        return SafeString(record.object_id)
    return format_html("{} ({})", foreign(record.name), record.object_id)


@register.filter
def duration(time: timedelta | float) -> str:
    """How long something took; a number is one of seconds."""
    seconds = time.total_seconds() if isinstance(time, timedelta) else time
    milliseconds = round(seconds * 1000)
    if milliseconds < 100:
        # Translators: a duration in milliseconds
        return gettext("{milliseconds} ms").format(milliseconds=milliseconds)
    # Translators: a duration in seconds
    return gettext("{seconds} s").format(
        seconds=number_format(round(seconds, 2), 2, force_grouping=True)
    )


@register.filter
def milliseconds(number: int) -> str:
    """The same of a number of milliseconds."""
    return duration(number / 1000)


@register.filter
def from_url(entry: AssociationRequest) -> str:
    """The first record in HubSpot, unless HubSpot lacks it."""
    return record_address(entry, entry.from_object_type, entry.ids_left[0])


@register.filter
def to_url(entry: AssociationRequest) -> str:
    """The second record in HubSpot, unless HubSpot lacks it."""
    return record_address(entry, entry.to_object_type, entry.ids_left[1])


@register.simple_tag
def record_address(entry: AssociationRequest | None, object_type: str, object_id: str) -> str:
    """A record in HubSpot; empty where it cannot be told, or HubSpot lacks it by this entry."""
    if isinstance(entry, AssociationRequest) and is_missing(entry, object_type, object_id):
        return ""
    return record_url(settings.HUBSPOT_UI_URL, settings.HUBSPOT_PORTAL_ID, object_type, object_id)


@register.simple_tag(takes_context=True)
def helper(context: Context, cause: str) -> SafeString:
    """Who can help where something ended by this cause: whom to tell, or where to look."""
    return helper_of(remedy_of(cause), is_admin=context["user"].is_admin)


@register.simple_tag(takes_context=True)
def if_it_goes_on(context: Context) -> SafeString:
    """Who can help where the log could not be written."""
    return helper_of(NOT_WRITTEN, is_admin=context["user"].is_admin)


@register.filter
def check_reason(check: AssociationCheck) -> str:
    """Why a check did not show whether the records are linked."""
    return reason_of(check.cause, said=check.error_text)


@register.filter
def told_of_finding(check: AssociationCheck) -> Told:
    """What is said of what the daily look has found."""
    return told_of(check)


@register.filter
def found_word(check: AssociationCheck) -> str:
    return str(told_of(check).word)


@register.filter
def by_found_day(groups: Iterable[Group]) -> list[Day]:
    """What was found under the days that it was found on."""
    return by_day(groups, lambda group: group.check.checked_at)


@register.filter
def check_merges(check: AssociationCheck) -> str:
    """Into which records those of the entry had been merged by then."""
    return merges_of(check.entry, check)
