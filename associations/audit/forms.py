"""The filters of the audit log, as they stand in its address."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, cast
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from associations.audit.said_days import read_day
from associations.form_fields import ObjectTypeField, RecordIdField
from associations.gateway.object_types import TypeChoices, standard_choices
from associations.hubspot.object_types import ObjectType
from associations.hubspot.outcomes import Outcome
from associations.models import AuditFilter
from associations.models.querysets import TRIGRAM
from associations.texts.labels import WORDS, type_label

FAILURES = (Outcome.UNCONFIRMED, Outcome.REJECTED, Outcome.UNREACHABLE, Outcome.CANCELED)
RANGES = {
    "today": (_("Today"), 0),
    "7d": (_("Last 7 days"), 6),
    "30d": (_("Last 30 days"), 29),
}
SEARCHED = {
    "name",
    "reason",
    "record",
    "correlation",
    "request",
}  # what the one box finds by its own words
ON_DAYS = ("range", "since", "until", "tz")  # the fields that say when
UNTOLD = "…"
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)
MAX_WORDS, MAX_LENGTH = 8, 100
_PLAIN_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}", re.ASCII)
SHORTEST_NAME = 2  # characters: in Chinese and Japanese a whole one


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter that is on: what it says, and the address's query without it.

    `in_utc` is the moment where a range of days begins or ends.
    """

    name: str
    value: str
    query_without: str
    in_utc: str


@dataclass(frozen=True, slots=True)
class QuickLink:
    """A filter that one often wants."""

    text: str
    query: str
    is_on: bool


class DayField(forms.DateField):
    """A day as a date; what people say, such as `yesterday`, is one already: see _with_dates()."""

    widget = forms.TextInput(attrs={"list": "days", "autocomplete": "off"})
    default_error_messages = {"invalid": _("Write the day like 2026-11-24, or “yesterday”.")}


class AuditFilterForm(forms.Form):
    """Which entries of the log are wanted. Every field may stay empty."""

    who = forms.TypedMultipleChoiceField(
        label=_("People"),
        required=False,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "invalid_choice": _("Nobody with the number %(value)s has ever signed in.")
        },
    )
    outcome = forms.MultipleChoiceField(
        label=_("Outcome"),
        required=False,
        choices=[(each.value, WORDS[each]) for each in Outcome],
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "invalid_choice": _("There is no outcome “%(value)s”. Choose from those listed.")
        },
    )
    seen = forms.ChoiceField(
        label=pgettext_lazy("filter: by verification", "What was seen"),
        required=False,
        choices=[
            ("", _("Does not matter")),
            ("verified", _("Linked and verified")),
            ("already", _("Was already linked")),
            ("not_verified", _("Perhaps linked, not verified")),
            ("changed", _("Linked, and changed since")),
        ],
        error_messages={
            "invalid_choice": _("“%(value)s” is nothing that was seen. Choose one of those listed.")
        },
    )
    range = forms.ChoiceField(
        label=_("Range"),
        required=False,
        choices=[("", _("Any time, or the days below"))]
        + [(name, label) for name, (label, _days) in RANGES.items()],
        error_messages={"invalid_choice": _("There is no range “%(value)s”. Choose one, or days.")},
    )
    since = DayField(label=_("From day"), required=False)
    until = DayField(label=_("To day"), required=False)
    record_type = ObjectTypeField(
        label=_("Its type"), required=False, max_length=128, help_text=_("If it matters.")
    )
    record = RecordIdField(label=_("Record id"), required=False, help_text=_("On either side."))
    from_type = ObjectTypeField(label=_("From type"), required=False, max_length=128)
    to_type = ObjectTypeField(label=_("To type"), required=False, max_length=128)
    name = forms.CharField(
        label=_("Name contains"),
        required=False,
        max_length=200,
        help_text=_("Of a record on either side, or the address it was found by."),
    )
    reason = forms.CharField(label=_("Reason contains"), required=False, max_length=MAX_LENGTH)
    error = forms.CharField(
        label=_("Words in the error"),
        required=False,
        max_length=100,
        help_text=_("Each of them has to be in it."),
    )
    category = forms.CharField(
        label=_("Error category"),
        required=False,
        max_length=100,
        help_text=_("As HubSpot writes it, such as VALIDATION_ERROR."),
    )
    status = forms.IntegerField(
        label=_("HTTP status"),
        required=False,
        min_value=100,
        max_value=999,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
        error_messages={
            "invalid": _("An HTTP status is a number, such as 404."),
            "min_value": _("An HTTP status has three digits, such as 404."),
            "max_value": _("An HTTP status has three digits, such as 404."),
        },
    )
    run = forms.IntegerField(
        label=_("Run"),
        required=False,
        min_value=1,
        max_value=2**63 - 1,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
        help_text=_("The number of a bulk run."),
        error_messages=dict.fromkeys(
            ("invalid", "min_value", "max_value"), _("A run has a number, such as 12.")
        ),
    )
    correlation = forms.CharField(label=_("Correlation id"), required=False, max_length=100)
    request = forms.CharField(
        label=_("Request id"),
        required=False,
        max_length=64,
        help_text=_("As an error page and the server's log tell it."),
    )
    # In which the days are meant; it travels with the address, so that they stay the same days.
    tz = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def __init__(
        self,
        query: QueryDict,
        people: Iterable[tuple[int, str]],
        types: TypeChoices | None = None,
    ) -> None:
        query = _with_dates(query)
        super().__init__(query)
        self.query_dict = query
        self.types = standard_choices() if types is None else types
        cast(forms.ChoiceField, self.fields["who"]).choices = list(people)
        for name in ("from_type", "to_type", "record_type"):
            cast(ObjectTypeField, self.fields[name]).offer(self.types)
        self.fields["record"].widget.attrs["inputmode"] = "numeric"

    def clean_name(self) -> str:
        text = " ".join(self.cleaned_data["name"].split())
        if text and len(text) < SHORTEST_NAME:
            raise ValidationError(
                _("Write at least %(count)s characters of the name."),
                params={"count": SHORTEST_NAME},
            )
        return text

    def clean_reason(self) -> str:
        text = " ".join(self.cleaned_data["reason"].split())
        if text and len(text) < TRIGRAM:
            raise ValidationError(
                _("Write at least %(count)s characters of the reason."), params={"count": TRIGRAM}
            )
        return text

    def clean_error(self) -> str:
        words = self.cleaned_data["error"].split()
        if words and max(map(len, words)) < TRIGRAM:
            raise ValidationError(
                _("One of the words must have at least %(count)s characters."),
                params={"count": TRIGRAM},
            )
        if len(words) > MAX_WORDS:
            raise ValidationError(_("Write %(count)s words at most."), params={"count": MAX_WORDS})
        return " ".join(words)

    def clean_category(self) -> str:
        text: str = self.cleaned_data["category"]
        return text.upper() if text.islower() else text

    def clean_since(self) -> date | None:
        return sensible_day(self.cleaned_data["since"])

    def clean_until(self) -> date | None:
        return sensible_day(self.cleaned_data["until"])

    def clean_tz(self) -> ZoneInfo | None:
        return zone_named(self.cleaned_data["tz"])

    def clean(self) -> dict[str, Any]:
        super().clean()
        data = self.cleaned_data
        since, until = data.get("since"), data.get("until")
        if since and until and until < since:
            self.add_error("until", _("The last day is before the first."))
        if data.get("range") and (since or until):
            self.add_error("range", _("Choose a range here or days below, not both."))
        if data.get("record_type") and not data.get("record") and "record" not in self.errors:
            self.add_error("record", _("Enter the record's id as well, or leave its type empty."))
        return data

    @property
    def zone(self) -> tzinfo:
        """In which days are counted: the one named with the days, else the viewer's."""
        data = getattr(self, "cleaned_data", {})
        named = data.get("tz") if data.get("since") or data.get("until") else None
        return named or timezone.get_current_timezone()

    def wanted(self) -> AuditFilter:
        """Return the filter; the form must be valid."""
        data = self.cleaned_data
        since, until = map(self._midnight, self._days())
        return AuditFilter(
            users=tuple(dict.fromkeys(data["who"])),
            outcomes=tuple(dict.fromkeys(data["outcome"])),
            from_object_type=_canonical(data["from_type"]),
            to_object_type=_canonical(data["to_type"]),
            record_type=_canonical(data["record_type"]),
            record_id=data["record"],
            since=since,
            until=until,
            error_category=data["category"],
            http_status=data["status"],
            correlation_id=data["correlation"],
            request_id=data["request"].lower(),
            name=data["name"],
            reason=data["reason"],
            error_words=tuple(data["error"].split()),
            seen=data["seen"],
            run=data["run"],
        )

    def query(self) -> QueryDict:
        """Return the address's query with what is filled in, and nothing else."""
        query = QueryDict(mutable=True)
        for name, field in self.fields.items():
            if values := [value for value in self.query_dict.getlist(name) if value.strip()]:
                takes_several = isinstance(field, forms.MultipleChoiceField)
                # Of a field that takes one value the last one counts, as it does for the form.
                query.setlist(name, list(dict.fromkeys(values)) if takes_several else values[-1:])
        return _with_zone_only_for_days(query)

    def query_to_keep(self) -> QueryDict:
        """Return the same as the log keeps it: a name that was sealed could never be erased."""
        query = self.query()
        if "name" in query:
            query["name"] = UNTOLD
        return query

    def narrowed(self, to: dict[str, str]) -> QueryDict:
        """Return the query with these values in the place of any; one that is empty takes off."""
        query, narrowed = self.query(), QueryDict(mutable=True)
        for name in self.fields:
            values = [to[name]] * bool(to[name]) if name in to else query.getlist(name)
            narrowed.setlist(name, values)
        return narrowed

    def chips(self) -> list[Chip]:
        """Return each filter that is on, with the way to take it off."""
        query = self.query()
        chips = [
            Chip(label, shown, _without(query, name, value), self._in_utc(name))
            for name, value, label, shown in self._told()
        ]
        return chips if self.one_day is None else self._with_one_for_the_day(chips)

    @property
    def one_day(self) -> date | None:
        """The day that the filter is for, if it is for one that is named."""
        since, until = (self.cleaned_data.get(name) for name in ("since", "until"))
        return since if since == until else None

    def _with_one_for_the_day(self, chips: list[Chip]) -> list[Chip]:
        """One chip instead of two that say the same day."""
        labels = [str(self.fields[name].label) for name in ("since", "until")]
        rest = self.query()
        for name in ON_DAYS:
            rest.pop(name, None)
        shown = self._shown("since", "")
        begins, ends = map(self._in_utc, ("since", "until"))
        day = Chip(gettext("Day"), shown, rest.urlencode(), f"{begins} \N{EN DASH} {ends}")
        return [day, *(chip for chip in chips if chip.name not in labels)]

    def readable(self, query: str) -> str:
        """Return `outcome=rejected&range=today` as people read it; people by their numbers.

        The form takes the query on: one form does for many, and is made for nothing else.
        """
        self.data = self.query_dict = QueryDict(query)
        self.full_clean()
        # Translators: a filter and what it asks for
        text = gettext("{name}: {value}")
        return ", ".join(text.format(name=name, value=value) for name, value in self.told())

    def searched(self) -> str:
        """What the one box says, if it is for one thing that could have been written there."""
        query = self.query()
        names = {name for name in query if name not in ON_DAYS}
        if names == {"record", "record_type"}:
            return f"{type_label(str(query['record_type']))} {query['record']}"
        return str(query[names.pop()]) if len(names) == 1 and names <= SEARCHED else ""

    def told(self) -> list[tuple[str, str]]:
        """Return what each filter that is on is called and what it says, as people read them."""
        return [(label, shown) for _name, _value, label, shown in self._told()]

    def quick_links(self) -> list[QuickLink]:
        """Return the ranges of time, over the filter as it is, and what failed today."""
        rest = QueryDict(mutable=True) if self.errors else self.query()
        for name in ON_DAYS:
            rest.pop(name, None)
        links = [self._quick_link(label, rest, name) for name, (label, _days) in RANGES.items()]
        failures = QueryDict(mutable=True)
        failures.setlist("outcome", [each.value for each in FAILURES])
        return [*links, self._quick_link(_("Failures today"), failures, "today")]

    def _quick_link(self, text: Promise, query: QueryDict, range_name: str) -> QuickLink:
        asked = query.copy()
        asked["range"] = range_name
        is_on = dict(asked.lists()) == dict(self.query().lists())
        return QuickLink(str(text), asked.urlencode(), is_on)

    def _told(self) -> list[tuple[str, str, str, str]]:
        return [
            (name, value, str(self.fields[name].label), self._shown(name, value))
            for name, values in self.query().lists()
            for value in values
            if name != "tz"
        ]

    def _shown(self, name: str, value: str) -> str:
        if name in ("who", "outcome", "seen", "range"):
            offered = cast(
                list[tuple[Any, Any]], cast(forms.ChoiceField, self.fields[name]).choices
            )
            choices = {str(key): str(label) for key, label in offered}
            return choices.get(value, value)
        if name in ("since", "until"):
            day = self.cleaned_data.get(name)
            # Translators: a day, and the time zone in which it is meant
            text = gettext("{day}, {zone}")
            return text.format(day=date_format(day) if day else value, zone=self.zone)
        return type_label(value) if name.endswith("_type") else value.strip()

    def _in_utc(self, name: str) -> str:
        since, until = map(self._midnight, self._days())
        moment = {"range": since, "since": since, "until": until}.get(name)
        return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else ""

    def _days(self) -> tuple[date | None, date | None]:
        """The first day of the range, and the first one after it."""
        data = self.cleaned_data
        if not data["range"]:
            until = data["until"]
            return data["since"], until and until + timedelta(days=1)
        today = timezone.now().astimezone(self.zone).date()
        return today - timedelta(days=RANGES[data["range"]][1]), None

    def _midnight(self, day: date | None) -> datetime | None:
        return datetime.combine(day, time.min, self.zone) if day else None


def _with_dates(query: QueryDict) -> QueryDict:
    """The query with dates in the place of days in words, as they are meant in the zone it names.

    Without one they are the viewer's days.
    """
    zone = _zone_of(query)
    today = timezone.now().astimezone(zone).date()
    for name in ("since", "until"):
        said = query.get(name, "")
        if (day := _as_date(said, today)) != said:
            query = query.copy()
            query[name] = day
            query["tz"] = query.get("tz", "").strip() or str(zone)
    return query


def _zone_of(query: QueryDict) -> tzinfo:
    name = query.get("tz", "").strip()
    return ZoneInfo(name) if name in available_timezones() else timezone.get_current_timezone()


def _as_date(text: str, today: date) -> str:
    """A day that is said in words as a date; anything else as it is."""
    if _PLAIN_DATE.fullmatch(text.strip()):
        return text
    day = read_day(text, today)
    return day.isoformat() if day else text


def sensible_day(day: date | None) -> date | None:
    if day and not FIRST_DAY <= day <= LAST_DAY:
        raise ValidationError(
            _("Choose a day from %(first)s to %(last)s."),
            params={"first": FIRST_DAY.year, "last": LAST_DAY.year},
        )
    return day


def zone_named(name: str) -> ZoneInfo | None:
    if name and name not in available_timezones():
        raise ValidationError(_("There is no time zone “%(name)s”."), params={"name": name})
    return ZoneInfo(name) if name else None


def _canonical(object_type: ObjectType | None) -> str:
    return object_type.canonical if object_type else ""


def _without(query: QueryDict, name: str, value: str) -> str:
    rest = query.copy()
    rest.setlist(name, [each for each in query.getlist(name) if each != value])
    return _with_zone_only_for_days(rest).urlencode()


def _with_zone_only_for_days(query: QueryDict) -> QueryDict:
    """A named day is meant in one zone, whoever opens the address; "today" is everybody's own."""
    if not (query.getlist("since") or query.getlist("until")):
        query.pop("tz", None)
    return query
