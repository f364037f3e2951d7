"""Whether the links that were made are looked at day by day, and what that has found."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.conf import settings
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext

from associations.hubspot.sanitizing import keyed, whole_number
from associations.status.report import Item, Level, html
from associations.sweep.findings import last_told, number_changed
from associations.texts.labels import time_of

if TYPE_CHECKING:
    from hubadmin.models import User


def sweep_lines(user: "User | None") -> Iterator[Item]:
    if settings.SWEEP_QUOTA_PERCENT <= 0:
        return
    told = last_told()
    if told is None:
        yield Item(Level.WELL, gettext("No link that was made has been looked at since."))
        return
    text = gettext(
        "Links were looked at last {moment}: {links}; {left} more could not be looked at. "
        'Changed since: <a href="{address}">{changed}</a>.'
    )
    links, left = (_number(keyed(told.facts).get(name)) for name in ("links", "not_looked_at"))
    changed = number_format(number_changed(user), force_grouping=True)
    numbers = {"links": links, "left": left, "changed": changed, "address": reverse("changed")}
    yield Item(Level.WELL, html(text, moment=time_of(told.at), **numbers))


def _number(value: object) -> str:
    return number_format(whole_number(value) or 0, force_grouping=True)
