"""What the templates of the audit log need."""

from collections import Counter
from datetime import date
from urllib.parse import urlencode

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from associations.audit.forms import MAX_LENGTH, AuditFilterForm
from associations.models import AssociationRequest
from associations.models.querysets import TRIGRAM
from associations.templatetags.cells import side_of
from associations.texts.events import event_details, event_word
from associations.texts.labels import record_label

register = template.Library()

register.filter("event_word", event_word)
register.filter("event_details", event_details)


@register.filter
def with_category(form: AuditFilterForm, category: str) -> str:
    """The address's query, narrowed to one error category."""
    return form.narrowed({"category": category}).urlencode()


@register.simple_tag
def narrowed(form: AuditFilterForm | None, name: str, value: object) -> str:
    """The address of the list, narrowed to one value; without a filter that value is all of it."""
    text = " ".join(str(value).split())[:MAX_LENGTH]
    query = form.narrowed({name: text}).urlencode() if form else urlencode({name: text})
    return f"{reverse('audit_log')}?{query}"


@register.simple_tag
def narrowing_side(entry: AssociationRequest, side: str) -> SafeString:
    """A record, name first; it leads to all that the log has of it."""
    object_type = getattr(entry, f"{side}_object_type")
    object_id = getattr(entry, f"{side}_object_id")
    return format_html(
        '<a class="narrows" href="{}">{}</a>',
        reverse("record_log", args=[object_type, object_id]),
        side_of(getattr(entry, f"{side}_name"), record_label(object_type, object_id)),
    )


@register.filter
def can_be_searched(reason: str) -> bool:
    """Whether a filter takes the reason: one that is shorter no index finds."""
    return len(" ".join(reason.split())) >= TRIGRAM


@register.simple_tag
def on_day(form: AuditFilterForm, day: date) -> str:
    """The address of the list, narrowed to one day where the filter's days are."""
    days = {"range": "", "since": str(day), "until": str(day), "tz": str(form.zone)}
    return f"{reverse('audit_log')}?{form.narrowed(days).urlencode()}"


@register.filter
def count_of(counts: Counter[str], outcome: str) -> int:
    return counts[outcome]


@register.filter
def offset(seconds: float) -> str:
    # Translators: a duration in seconds
    return gettext("{seconds} s").format(seconds=f"{seconds:+.3f}")
