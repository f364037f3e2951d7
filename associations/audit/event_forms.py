"""The filter of the security events, as it stands in their address."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, tzinfo
from typing import cast
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from associations.audit.forms import sensible_day, zone_named
from associations.models import SecurityEvent
from associations.texts.events import GROUPS


class EventFilterForm(forms.Form):
    """Which security events are wanted. Every field may stay empty."""

    who = forms.TypedChoiceField(
        label=_("Who"),
        required=False,
        coerce=int,
        error_messages={
            "invalid_choice": _("Nobody with the number %(value)s has ever signed in.")
        },
    )
    what = forms.ChoiceField(
        label=pgettext_lazy("security event", "What"),
        required=False,
        choices=[
            ("", _("Everything")),
            *((group, [*kinds.items()]) for group, kinds in GROUPS.items()),
        ],
        error_messages={
            "invalid_choice": _("There is no event “%(value)s”. Choose from those listed.")
        },
    )
    day = forms.DateField(
        label=_("Day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": _("Write the day like 2026-11-24.")},
    )
    # In which the day is meant, whoever opens the address.
    tz = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def __init__(self, query: QueryDict, people: Iterable[tuple[int, str]]) -> None:
        super().__init__(query)
        choices: list[tuple[int | str, str]] = [("", str(_("Everybody"))), *people]
        cast(forms.ChoiceField, self.fields["who"]).choices = choices

    def clean_day(self) -> date | None:
        return sensible_day(self.cleaned_data["day"])

    def clean_tz(self) -> ZoneInfo | None:
        return zone_named(self.cleaned_data["tz"])

    @property
    def zone(self) -> tzinfo:
        data = getattr(self, "cleaned_data", {})
        named = data.get("tz") if data.get("day") else None
        return named or timezone.get_current_timezone()

    def events(self) -> QuerySet[SecurityEvent]:
        """Return those that are wanted; the form must be valid."""
        data, found = self.cleaned_data, SecurityEvent.objects.all()
        if data["who"]:
            found = found.filter(user=data["who"])
        if data["what"]:
            found = found.filter(what=data["what"])
        if data["day"]:
            start = datetime.combine(data["day"], time.min, self.zone)
            end = datetime.combine(data["day"] + timedelta(days=1), time.min, self.zone)
            found = found.filter(at__gte=start, at__lt=end)
        return found

    def query(self) -> QueryDict:
        """Return the address's query with what is filled in, and nothing else."""
        query = QueryDict(mutable=True)
        for name in ("who", "what", "day"):
            if value := self.data.get(name, "").strip():
                query[name] = value
        if "day" in query:
            query["tz"] = str(self.zone)
        return query
