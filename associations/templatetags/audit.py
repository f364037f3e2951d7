"""What the templates of the audit log need."""

from collections import Counter

from django import template
from django.utils.translation import gettext

from associations.audit.forms import AuditFilterForm
from associations.texts.events import event_details, event_word

register = template.Library()

register.filter("event_word", event_word)
register.filter("event_details", event_details)


@register.filter
def with_category(form: AuditFilterForm, category: str) -> str:
    """The address's query, narrowed to one error category."""
    query = form.query()
    query["category"] = category
    return query.urlencode()


@register.filter
def count_of(counts: Counter[str], outcome: str) -> int:
    return counts[outcome]


@register.filter
def offset(seconds: float) -> str:
    # Translators: a duration in seconds
    return gettext("{seconds} s").format(seconds=f"{seconds:+.3f}")
