"""Which version of HubSpot's API is in use, and for how long HubSpot supports it."""

from collections.abc import Iterator
from datetime import date

from django.conf import settings
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext

from associations.context_processors import V4_SUPPORT_ENDS
from associations.status.report import Level, Line, told

DAYS_TO_PREPARE = 90


def version_lines(today: date) -> Iterator[Line]:
    version = settings.HUBSPOT_API_VERSION
    if version == "v4":
        yield _v4(today)
    else:
        text = gettext("API version {version} is in use. HubSpot has not announced its end.")
        yield Line(Level.WELL, told(text, version=version))


def _v4(today: date) -> Line:
    days = (V4_SUPPORT_ENDS - today).days
    end = date_format(V4_SUPPORT_ENDS)
    advice = gettext(
        "Try <code>HUBSPOT_API_VERSION=2026-09</code> in a test account, then set it here and "
        "restart this site. Only the addresses of the calls change."
    )
    if days < 0:
        text = gettext("HubSpot's support of API version v4, which is in use, ended on {day}.")
        return Line(Level.WRONG, told(text, day=end), told(advice))
    text = ngettext(
        "API version v4 is in use. HubSpot supports it until {day}: {days} more day.",
        "API version v4 is in use. HubSpot supports it until {day}: {days} more days.",
        days,
    )
    level = Level.WELL if days > DAYS_TO_PREPARE else Level.WARNING
    return Line(level, told(text, day=end, days=days), told(advice))
