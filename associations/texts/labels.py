"""The words that people read for the codes of the log.

The database, addresses and exports keep the codes.
"""

from django.utils.translation import gettext, pgettext_lazy

from associations.hubspot.object_types import label_of

WORDS = {
    # outcomes
    "queued": pgettext_lazy("outcome", "queued"),
    "sending": pgettext_lazy("outcome", "sending"),
    "linked": pgettext_lazy("outcome", "linked"),
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
    # exports
    "running": pgettext_lazy("export", "not ended"),
    "complete": pgettext_lazy("export", "complete"),
    "aborted": pgettext_lazy("export", "aborted"),
}


# What the account calls its custom objects, as far as a page of this process has come to know.
CUSTOM_LABELS: dict[str, str] = {}


def word_for(code: str) -> str:
    """Return the word for an outcome, a cause, an export's state or "linked?"; else the code."""
    return str(WORDS.get(code, code))


def type_label(object_type: str) -> str:
    """Return what the reader calls a stored object type."""
    return CUSTOM_LABELS.get(object_type) or gettext(label_of(object_type))
