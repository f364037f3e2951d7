"""All that is told of how things stand, for the status page and for `manage.py status`."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.translation import gettext

from associations.gateway.rate_limiter import look_wait
from associations.status.auditlog import log_lines
from associations.status.bulk import run_lines
from associations.status.clocks import hubspot_clock_line, machine_clock_lines
from associations.status.failures import failure_line, failures_since
from associations.status.notices import notice_lines
from associations.status.quota import Quota, quota_lines, quota_of
from associations.status.report import Item, Level, Section
from associations.status.sweep import sweep_lines
from associations.status.token import account_lines, look_at_hubspot, scope_lines, version_lines
from associations.texts.lookup_errors import looks_used_up

if TYPE_CHECKING:
    from hubadmin.models import User


@dataclass(frozen=True, slots=True)
class Told:
    """The sections, in the page's order, and what is left of the day's calls, if that is known."""

    parts: list[Section]
    quota: Quota | None


def tell(user: "User | None" = None) -> Told:
    """Look how things stand: for an admin, whose look it is, or for whoever has a shell."""
    now, quota = timezone.now(), None
    if user and (wait := look_wait(user.pk)):
        account = calls = clocks = [Item(Level.UNKNOWN, looks_used_up(wait))]
    else:
        shown = look_at_hubspot()
        quota = quota_of(shown, now)
        account = [*account_lines(shown), *scope_lines(shown, now)]
        calls = [*quota_lines(shown, quota)]
        clocks = [hubspot_clock_line(shown)]
    parts = [
        Section("hubspot", "HubSpot", account),
        Section("calls", gettext("Calls today"), [*calls, _failures(now)]),
        Section("runs", gettext("Bulk runs"), [*run_lines()]),
        Section("version", gettext("API version"), [*version_lines(timezone.localdate(now))]),
        Section("clocks", gettext("Clocks"), [*clocks, *machine_clock_lines(now)]),
        Section("log", gettext("The audit log"), [*log_lines(now), *sweep_lines(user)]),
        Section("notices", gettext("Notices"), [*notice_lines()]),
    ]
    return Told(parts, quota)


def _failures(now: datetime) -> Item:
    """The day is the viewer's, as everywhere on their pages."""
    today = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    return failure_line(failures_since(today))
