"""What the status page says: items, each with how it stands, in words, and with what to do."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from html import unescape
from typing import Any

from django.utils.html import format_html, strip_tags
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from associations.hubspot.client import HubSpotClient, ReadError
from associations.hubspot.outcomes import Cause
from associations.models import NoticeEvent
from associations.texts.lookup_errors import reason_of_error
from associations.texts.remedies import ADMIN, REMEDIES


class Level(StrEnum):
    """How something stands, the worst first; the first two need attention."""

    WRONG = "wrong"
    WARNING = "warning"
    UNKNOWN = "unknown"
    WELL = "well"


_ICONS = {Level.WELL: "✓", Level.WARNING: "⚠", Level.WRONG: "✕", Level.UNKNOWN: "?"}
_WORDS = {
    Level.WELL: pgettext_lazy("state of a part", "in order"),
    Level.WARNING: pgettext_lazy("state of a part", "attention"),
    Level.WRONG: pgettext_lazy("state of a part", "problem"),
    Level.UNKNOWN: pgettext_lazy("state of a part", "not known"),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is known, or why it is not; `codes` are for people to copy.

    `event` is what people are told of where it needs attention, if they are.
    """

    level: Level
    text: str
    advice: str = ""
    codes: tuple[str, ...] = ()
    event: NoticeEvent | None = None

    @property
    def icon(self) -> str:
        return _ICONS[self.level]

    @property
    def word(self) -> str:
        return str(_WORDS[self.level])

    @property
    def needs_attention(self) -> bool:
        return self.level in (Level.WARNING, Level.WRONG)


@dataclass(frozen=True, slots=True)
class Section:
    """What the page says of one matter; `name` is its place on the page."""

    name: str
    title: str
    lines: list[Item] = field(default_factory=list)

    @property
    def needs_attention(self) -> bool:
        return any(line.needs_attention for line in self.lines)


def headline_of(sections: Iterable[Section]) -> tuple[Section, Item] | None:
    """Return the worst line, the first of several, and where it stands; None if all is well."""
    lines = [(section, line) for section in sections for line in section.lines]
    worst_first = [*Level]
    worst = min(lines, key=lambda each: worst_first.index(each[1].level), default=None)
    return None if worst is None or worst[1].level is Level.WELL else worst


@dataclass(frozen=True, slots=True)
class Reading:
    """What a look at HubSpot showed, or why it showed nothing."""

    value: Any = None
    error: ReadError | None = None


def look(lookup: Callable[[HubSpotClient], Any], client: HubSpotClient) -> Reading:
    """Look now; what was remembered would not say how things stand."""
    try:
        return Reading(lookup(client))
    except ReadError as error:
        return Reading(error=error)


def html(text: str, **values: object) -> SafeString:
    """A sentence of ours, which may hold markup, with its values; these are escaped."""
    return format_html(str(text), **values) if values else SafeString(text)


def plain(text: str) -> str:
    """The sentence without its markup, in one line."""
    return " ".join(unescape(strip_tags(str(text))).split())


_HUBSPOTS_STATUS = _(
    'HubSpot tells at <a href="https://status.hubspot.com" rel="noreferrer">status.hubspot.com</a> '
    "whether it has trouble."
)
_WAY_OUT = _(
    "Find out whether this server reaches the configured address of HubSpot's API; a firewall or "
    "<code>HUBSPOT_PROXY_URL</code> may be in the way."
)
_LATER = _("Load this page again in a minute.")
_ADVICE = {
    Cause.TOKEN_REFUSED: _(
        "Copy the token of the app or service key from HubSpot into "
        "<code>HUBSPOT_ACCESS_TOKEN</code>, and restart this site. Until then nobody can link "
        "anything."
    ),
    Cause.REDIRECTED: _("Correct <code>HUBSPOT_API_BASE_URL</code>, and restart this site."),
    Cause.NO_CONNECTION: _WAY_OUT,
    Cause.CONNECTION_LOST: _WAY_OUT,
    Cause.RATE_LIMITED: _LATER,
    Cause.LOCKED: _LATER,
    Cause.MIGRATING: _LATER,
}


def trouble(error: ReadError) -> Item:
    """The line for why HubSpot does not answer as it should, and what to do."""
    level = Level.WRONG if REMEDIES[error.cause] is ADMIN else Level.WARNING
    advice = html(str(_ADVICE.get(error.cause, _HUBSPOTS_STATUS)))
    event = NoticeEvent.TOKEN_REFUSED if error.cause is Cause.TOKEN_REFUSED else None
    return Item(level, reason_of_error(error), advice, codes_of(error), event)


def not_known(text: str, error: ReadError) -> Item:
    """A line for one thing that HubSpot did not show: `text` says what; why is added."""
    whole = two_sentences(text, reason_of_error(error))
    return Item(Level.UNKNOWN, whole, codes=codes_of(error))


def two_sentences(what: str, why: str) -> SafeString:
    # Translators: two sentences: what is not known, and why
    return html(gettext("{what} {why}"), what=what, why=why)


def codes_of(error: ReadError) -> tuple[str, ...]:
    """Return what HubSpot's support asks for: the status, the category, the correlation id."""
    answer = error.answer
    status = f"HTTP {answer.http_status}" if answer.http_status else ""
    return tuple(filter(None, (status, answer.error_category, answer.correlation_id)))
