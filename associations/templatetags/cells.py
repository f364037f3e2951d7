"""What lists show in every row: made here, as a template for each would cost most of the page."""

from datetime import datetime
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import urlencode

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.forms.boundfield import BoundWidget
from django.forms.utils import flatatt
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext, pgettext

from associations.finding.names import Named
from associations.hubspot.outcomes import Outcome
from associations.hubspot.unseen import visible
from associations.linking.forms import fields_of
from associations.models import AssociationRequest
from associations.models.readable import UnreadableRow
from associations.texts.days import Day
from associations.texts.labels import (
    HOUR,
    cannot_be_read,
    exactly,
    from_label,
    icon,
    time_element,
    to_label,
    word_for,
)
from associations.texts.outcomes import beside_outcome, briefly

register = template.Library()


@register.simple_tag
def time(moment: datetime | None, written: str = "DATETIME_FORMAT", zone: bool = False) -> str:
    """A moment as the reader's clock has it; `written` as for the filter `date`."""
    return time_element(moment, written, zone=zone) if moment else ""


def ago(moment: datetime) -> SafeString:
    """How long ago that was, and when exactly."""
    start = f'<time datetime="{localtime(moment).isoformat()}" title="{exactly(moment)}">'
    return SafeString(f"{start}{escape(naturaltime(moment))}</time>")


@register.filter
def foreign(text: object) -> SafeString:
    """What others have written: apart from the text around it, and nothing of it hidden."""
    shown = visible(str(text))
    # What was escaped before is not escaped again.
    shown = shown if isinstance(text, SafeString) else escape(shown)
    return SafeString(f"<bdi>{shown}</bdi>" if text else "")


@register.simple_tag
def day_row(day: Day, columns: int) -> SafeString:
    """The heading over one day's rows of a table that has so many columns: see texts/days.py."""
    if not day.heading or day.moment is None:
        return SafeString("")
    return format_html(
        '<tr class="day"><th scope="rowgroup" colspan="{}">{}\n'
        '  <span class="zone">{}</span></th></tr>',
        columns,
        day.heading,
        localtime(day.moment).tzname(),
    )


@register.filter
def outcome(code: str) -> SafeString:
    """An outcome by its colour, icon and word."""
    return _outcome(code, word_for(code))


@lru_cache(maxsize=128)
def _outcome(code: str, word: str) -> SafeString:
    return format_html(
        '<span class="outcome {}"><span aria-hidden="true">{}</span> {}</span>',
        code,
        icon(code),
        word,
    )


@register.filter
def outcome_and_why(entry: Any) -> SafeString:
    """How an entry ended, and in a few words why."""
    why, shown = beside_outcome(entry), outcome(entry.outcome)
    return SafeString(f'{shown} <span\n  class="why">{escape(why)}</span>') if why else shown


@register.filter
def brief_outcome(entry: Any) -> SafeString:
    """The same in the little room beside the form: why, where there is a why."""
    why, code = briefly(entry), entry.outcome
    shown = outcome(code)
    if why:
        shown = format_html(
            '<span class="outcome {}"><span aria-hidden="true">{}</span>\n'
            '  <span class="visually-hidden">{}: </span>{}</span>',
            code,
            icon(code),
            word_for(code),
            why,
        )
    if not entry.was_undone:
        return shown
    return format_html('{}\n<span class="muted">{}</span>', shown, gettext("undone since"))


@register.filter
def checkbox(choice: BoundWidget) -> SafeString:
    """One of many choices, as Django's own templates have it; these take a while for hundreds."""
    return format_html(
        '<input type="{}" name="{}" value="{}"{}>',
        choice.data["type"],
        choice.data["name"],
        choice.data["value"],
        flatatt(choice.data["attrs"]),
    )


@register.simple_tag
def pair(entry: Any, named: Any = None, plain: bool = False) -> SafeString:
    """Who was linked to whom, names first: "Ada Byron Contact 501 → Analytical Ltd Company 902".

    A label alone where no name is known. `entry` is an entry or a staged row, `named` what else has
    `from_name` and `to_name`; `plain` leaves out ids. A list sets its own link around it.
    """
    from_ = side_of(getattr(named, "from_name", "") or entry.from_name, from_label(entry), plain)
    to = side_of(getattr(named, "to_name", "") or entry.to_name, to_label(entry), plain)
    return SafeString(f"{from_} →\n{to}")


def side_of(name: str, label: str, plain: bool = False) -> SafeString:
    """One record of a pair."""
    if not name:
        return SafeString(escape(label))
    if plain:
        return foreign(name)
    id_ = f'<span class="record-id">{escape(label)}</span>'
    return SafeString(f'<span class="named">{foreign(name)}</span>\n{id_}')


@register.filter
def again_url(entry: AssociationRequest) -> str:
    """The form, filled in with the same request."""
    return f"{reverse('link')}?{urlencode(fields_of(entry))}"


@register.simple_tag
def own_row(entry: AssociationRequest) -> SafeString:
    """An entry among one's own, as a row of a table: time, pair, outcome, reason."""
    return SafeString(f"""<tr>
      <td class="nowrap hour">{time(entry.created_at, HOUR)}</td>
      <td><a class="row-link" href="{escape(entry.get_absolute_url())}">{pair(entry)}</a></td>
      <td>{outcome_and_why(entry)}</td>
      <td>{foreign(entry.reason)}</td>
    </tr>""")


@register.simple_tag
def latest_item(named: Named) -> SafeString:
    """An entry in the list beside the form, with a way to do it again once it has ended."""
    entry = named.entry
    if isinstance(entry, UnreadableRow):
        return SafeString(f"<li>{escape(cannot_be_read(entry))}</li>")
    reason = f" · {foreign(entry.reason)}" if entry.reason else ""
    return SafeString(f"""<li>
    <a href="{escape(entry.get_absolute_url())}">{pair(entry, named)}</a>
    <span class="latest-line">
      {brief_outcome(entry)}
      {_again(named, entry)}
      <span class="muted">{ago(entry.created_at)}{reason}</span>
    </span>
  </li>""")


def _again(named: Named, entry: AssociationRequest) -> str:
    if entry.is_open:
        return ""
    if entry.outcome == Outcome.LINKED or entry.undoes_id:
        text = pgettext("fill in the form with the same", "use again")
    else:
        text = pgettext("fill in the form with the same, to change it", "correct it")
    whose = f'<span\n        class="visually-hidden">: {pair(entry, named, plain=True)}</span>'
    return f'<a href="{escape(again_url(entry))}">{escape(text)}{whose}</a>'
