"""What lists show in every row: made here, as a template for each would cost most of the page."""

from datetime import datetime
from typing import Any

from django import template
from django.forms.boundfield import BoundWidget
from django.forms.utils import flatatt
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext

from associations.hubspot.unseen import visible
from associations.texts.days import Day
from associations.texts.labels import from_label, icon, time_element, to_label, word_for
from associations.texts.outcomes import beside_outcome, briefly

register = template.Library()


@register.simple_tag
def time(moment: datetime | None, written: str = "DATETIME_FORMAT", zone: bool = False) -> str:
    """A moment as the reader's clock has it; `written` as for the filter `date`."""
    return time_element(moment, written, zone=zone) if moment else ""


@register.filter
def foreign(text: object) -> SafeString:
    """What others have written: apart from the text around it, and nothing of it hidden."""
    shown = visible(str(text))
    # What was escaped before is not escaped again.
    shown = SafeString(shown) if isinstance(text, SafeString) else shown
    return format_html("<bdi>{}</bdi>", shown) if text else SafeString("")


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
    return format_html(
        '<span class="outcome {}"><span aria-hidden="true">{}</span> {}</span>',
        code,
        icon(code),
        word_for(code),
    )


@register.filter
def outcome_and_why(entry: Any) -> SafeString:
    """How an entry ended, and in a few words why."""
    why = beside_outcome(entry)
    shown = outcome(entry.outcome)
    return format_html('{} <span\n  class="why">{}</span>', shown, why) if why else shown


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
    return format_html(
        "{} →\n{}",
        side_of(getattr(named, "from_name", "") or entry.from_name, from_label(entry), plain),
        side_of(getattr(named, "to_name", "") or entry.to_name, to_label(entry), plain),
    )


def side_of(name: str, label: str, plain: bool = False) -> str:
    """One record of a pair."""
    if not name:
        return label
    if plain:
        return foreign(name)
    return format_html(
        '<span class="named">{}</span>\n<span class="record-id">{}</span>', foreign(name), label
    )
