"""What receivers read: a sentence on the event, when it was, where to see more. Nobody's name."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

from associations.models import Notice, NoticeEvent

Numbers = dict[str, int]


@dataclass(frozen=True, slots=True)
class Message:
    """`facts` are for machines, by names that stay; the rest is for people."""

    number: int
    text: str
    at: datetime
    url: str
    facts: dict[str, Any]

    @property
    def when(self) -> str:
        return f"{self.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def message_of(notice: Notice) -> Message:
    """Return what is told of this notice, in the site's language and in UTC."""
    event = NoticeEvent(notice.event)
    with translation.override(settings.LANGUAGE_CODE):
        text = _SENTENCES[event](notice.numbers)
        if notice.is_over:
            # Translators: of what has ended; `what` is the sentence of its beginning
            text = gettext("Over now: {what}").format(what=text)
    url = settings.SITE_URL + notice.path
    facts = {
        "id": notice.pk,
        "event": notice.event,
        "is_over": notice.is_over,
        "at": notice.at.astimezone(UTC).isoformat(timespec="seconds"),
        "numbers": notice.numbers,
        "text": text,
        "url": url,
    }
    return Message(notice.pk, text, notice.at, url, facts)


def _run_ended(numbers: Numbers) -> str:
    if numbers.get("undoes"):
        text = gettext(
            "Bulk run {run}, the undo of run {undoes}, has ended: {achieved} of {pairs} pairs "
            "unlinked, {failed} failed, {not_sent} not sent."
        )
    else:
        text = gettext(
            "Bulk run {run} has ended: {achieved} of {pairs} pairs linked, {failed} failed, "
            "{not_sent} not sent."
        )
    return _filled(text, numbers)


def _run_paused(numbers: Numbers) -> str:
    return _filled(gettext("Bulk run {run} has paused by itself."), numbers)


def _run_choice(numbers: Numbers) -> str:
    text = ngettext(
        "Bulk run {run}: {rows} row waits for somebody to choose a record.",
        "Bulk run {run}: {rows} rows wait for somebody to choose a record.",
        numbers["rows"],
    )
    return _filled(text, numbers)


def _run_approval(numbers: Numbers) -> str:
    text = ngettext(
        "Bulk run {run} of {pairs} pair waits for a second person to approve it.",
        "Bulk run {run} of {pairs} pairs waits for a second person to approve it.",
        numbers["pairs"],
    )
    return _filled(text, numbers)


def _version_ends(numbers: Numbers) -> str:
    days = numbers["days"]
    if days < 0:
        return gettext("HubSpot has ended its support of the API version that is in use.")
    text = ngettext(
        "HubSpot ends its support of the API version that is in use in {days} day.",
        "HubSpot ends its support of the API version that is in use in {days} days.",
        days,
    )
    return _filled(text, numbers)


def _calls_failing(numbers: Numbers) -> str:
    text = gettext("Of the last {calls} calls to HubSpot, within an hour, {failed} failed.")
    return _filled(text, numbers)


def _links_changed(numbers: Numbers) -> str:
    text = ngettext(
        "The daily look has news of {links} link that was made here.",
        "The daily look has news of {links} links that were made here.",
        numbers["links"],
    )
    return _filled(text, numbers)


def _quota(numbers: Numbers) -> str:
    return _filled(gettext("HubSpot's calls of the day are used up to {percent}%."), numbers)


def _filled(text: str, numbers: Numbers) -> str:
    # Numbers of runs are names: no separators stand in them.
    names = {"run", "undoes"}
    told = {name: number_format(each, force_grouping=True) for name, each in numbers.items()}
    return text.format(**told | {name: numbers[name] for name in names & numbers.keys()})


_SENTENCES: dict[NoticeEvent, Callable[[Numbers], str]] = {
    NoticeEvent.RUN_ENDED: _run_ended,
    NoticeEvent.RUN_PAUSED: _run_paused,
    NoticeEvent.RUN_CHOICE: _run_choice,
    NoticeEvent.RUN_APPROVAL: _run_approval,
    NoticeEvent.TOKEN_REFUSED: lambda _: gettext(
        "HubSpot refuses this site's access token: nobody can link anything."
    ),
    NoticeEvent.SCOPE_MISSING: lambda _: gettext(
        "HubSpot refuses requests: the access token lacks a scope."
    ),
    NoticeEvent.QUOTA_80: _quota,
    NoticeEvent.QUOTA_95: _quota,
    NoticeEvent.VERSION_ENDS: _version_ends,
    NoticeEvent.CALLS_FAILING: _calls_failing,
    NoticeEvent.LINKS_CHANGED: _links_changed,
    NoticeEvent.CLOCK_DIFFERS: lambda _: gettext(
        "A machine's clock is wrong: what it writes into the log bears a wrong time."
    ),
    NoticeEvent.SEAL_LATE: lambda _: gettext("Closed entries of the audit log wait for a seal."),
    NoticeEvent.LOG_ALTERED: lambda _: gettext(
        "The audit log, or what guards it, is not as hubadmin has left it."
    ),
    NoticeEvent.VERIFICATION_FAILED: lambda _: gettext(
        "The last verification did not prove the audit log."
    ),
    NoticeEvent.WORKER_SILENT: lambda _: gettext(
        "No worker gives a sign of life: bulk runs stand still."
    ),
    NoticeEvent.SEALER_SILENT: lambda _: gettext("What seals the audit log gives no sign of life."),
    NoticeEvent.TEST: lambda _: gettext("A test of hubadmin's notices: they arrive here."),
}
