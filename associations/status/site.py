"""What this site runs on, and how its viewer reads it."""

import platform

import django
from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import get_language, get_language_info, gettext

from hubadmin import __version__
from hubadmin.startup import COMMIT


def site_facts() -> list[tuple[str, str]]:
    """Return names and values; none of them is a secret."""
    database = ".".join(map(str, connection.get_database_version()))
    return [
        ("hubadmin", f"{__version__} ({COMMIT[:12]})" if COMMIT else __version__),
        (gettext("Database"), f"{connection.display_name} {database}"),
        ("Python", platform.python_version()),
        ("Django", django.get_version()),
        (gettext("Looking before and after each request"), _verification()),
        (
            gettext("Your language"),
            get_language_info(get_language() or settings.LANGUAGE_CODE)["name_local"],
        ),
        (gettext("Your time zone"), timezone.get_current_timezone_name()),
        (gettext("The site's time zone"), settings.TIME_ZONE),
    ]


def _verification() -> str:
    if settings.HUBSPOT_VERIFY:
        return gettext("on: a link counts as seen only if HubSpot shows it afterwards")
    return gettext("off (HUBSPOT_VERIFY): nobody looks whether an accepted link is there")
