"""What the templates need to show entries."""

from datetime import timedelta
from urllib.parse import urlencode

from django import template
from django.conf import settings
from django.urls import reverse

from associations.explanations import explain
from associations.hubspot.object_types import label_of
from associations.hubspot.record_urls import record_url
from associations.models import AssociationRequest
from associations.presentation import directions, told_errors

register = template.Library()

register.filter("explain", explain)
register.filter("directions", directions)
register.filter("told_errors", told_errors)

_ICONS = {
    "linked": "✓",
    "unconfirmed": "?",
    "rejected": "✕",
    "unreachable": "⚠",
    "queued": "…",
    "sending": "◌",
    "canceled": "\N{EN DASH}",
}


@register.filter
def icon(outcome: str) -> str:
    return _ICONS[outcome]


@register.filter
def as_words(name: str) -> str:
    """`from_object_id` as people read it."""
    return name.replace("_", " ").capitalize()


@register.filter
def seconds(duration: timedelta) -> str:
    return f"{duration.total_seconds():.2f} s"


@register.filter
def from_url(entry: AssociationRequest) -> str:
    """The first record in HubSpot."""
    return _record_url(entry.from_object_type, entry.from_object_id)


@register.filter
def to_url(entry: AssociationRequest) -> str:
    """The second record in HubSpot."""
    return _record_url(entry.to_object_type, entry.to_object_id)


@register.filter
def again_url(entry: AssociationRequest) -> str:
    """The form, filled in with the same request."""
    return _form_url(entry, "from", "to")


@register.filter
def swap_url(entry: AssociationRequest) -> str:
    """The form, filled in with the two sides exchanged."""
    return _form_url(entry, "to", "from")


def _form_url(entry: AssociationRequest, first: str, second: str) -> str:
    fields = {
        "from_object_type": label_of(getattr(entry, f"{first}_object_type")),
        "from_object_id": getattr(entry, f"{first}_object_id"),
        "to_object_type": label_of(getattr(entry, f"{second}_object_type")),
        "to_object_id": getattr(entry, f"{second}_object_id"),
        "reason": entry.reason,
    }
    return f"{reverse('link')}?{urlencode(fields)}"


def _record_url(object_type: str, object_id: str) -> str:
    return record_url(settings.HUBSPOT_UI_URL, settings.HUBSPOT_PORTAL_ID, object_type, object_id)
