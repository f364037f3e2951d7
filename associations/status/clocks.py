"""Whether clocks agree: this machine's with HubSpot's, the workers' and sealers' with it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils.translation import gettext

from associations.models import NoticeEvent, Sealer, Worker
from associations.models.readable import with_readable
from associations.status.report import Item, Level, html
from associations.status.token import Shown
from hubadmin.web.doctor import CLOCK_DIFFERS, CLOCK_WRONG, clock_ahead


def hubspot_clock_line(shown: Shown) -> Item:
    """Compare the clock of this machine, which asked."""
    ahead = clock_ahead(*shown.last_date) if shown.last_date else None
    if ahead is None:
        text = gettext("No answer of HubSpot has told the time, so none is compared.")
        return Item(Level.UNKNOWN, text)
    if abs(ahead) <= CLOCK_DIFFERS:
        return Item(Level.WELL, gettext("This machine's clock agrees with HubSpot's."))
    if ahead > timedelta():
        text = gettext("This machine's clock is {seconds} seconds ahead of HubSpot's.")
    else:
        text = gettext("This machine's clock is {seconds} seconds behind HubSpot's.")
    return _differs(text, abs(ahead))


def machine_clock_lines(now: datetime) -> Iterator[Item]:
    """A worker or sealer that was seen in the future; one that is behind counts as silent soon."""
    for model, text in (
        (Worker, gettext("A worker's clock is {seconds} seconds ahead of this machine's.")),
        (Sealer, gettext("A sealer's clock is {seconds} seconds ahead of this machine's.")),
    ):
        seen = with_readable(model.objects.all(), "seen_at").order_by("-seen_at")
        latest = seen.values_list("seen_at", flat=True).first()
        if latest and latest - now > CLOCK_DIFFERS:
            yield _differs(text, latest - now)


def _differs(text: str, apart: timedelta) -> Item:
    level = Level.WRONG if apart > CLOCK_WRONG else Level.WARNING
    advice = gettext(
        "Have the clocks set by the network (systemd-timesyncd, chrony). The log bears wrong times "
        "until then, and signing in fails where clocks differ by more than a minute."
    )
    text = html(text, seconds=round(apart.total_seconds()))
    return Item(level, text, advice, event=NoticeEvent.CLOCK_DIFFERS)
