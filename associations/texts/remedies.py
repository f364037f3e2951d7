"""What helps where HubSpot would not do something: trying it all the same, or somebody.

Whoever cannot repair it reads whom to tell; an admin reads where to look.
"""

from collections.abc import Iterable
from typing import NamedTuple

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from associations.hubspot.outcomes import Cause
from hubadmin.web.context_processors import contact


class Remedy(NamedTuple):
    """`may_be_tried`: nothing says that the next request to link records would end so, too."""

    may_be_tried: bool
    for_support: str | Promise = ""
    for_admins: str | Promise = ""


# Trying is what there is to do.
TRY = Remedy(True)
# It is about this pair: other ids or types, as the sentence beside it says.
PAIR = Remedy(False)
# Only an admin can repair it.
ADMIN = Remedy(False, _("Tell {contact}."), _('The <a href="{status}">status</a> tells more.'))
_DAY = Remedy(
    False,
    _("Tell {contact} if it cannot wait."),
    _('The <a href="{status}">status</a> tells how many calls are left.'),
)
_AGAIN = Remedy(
    True,
    _("If it happens again, tell {contact}."),
    _('If it happens again, look at the <a href="{status}">status</a>.'),
)
# The database took nothing; of that only the server's log tells.
NOT_WRITTEN = Remedy(
    True, _("If it goes on, tell {contact}."), _("If it goes on, the server's log says why.")
)
_NOT_READ = ADMIN._replace(may_be_tried=True, for_support="")

REMEDIES: dict[str, Remedy] = {
    Cause.CONFIRMED: TRY,
    Cause.IN_PROGRESS: TRY,
    Cause.NOT_SHOWN: TRY,
    Cause.PARTLY_FAILED: TRY,
    Cause.UNKNOWN_STATUS: TRY,
    Cause.UNREADABLE: TRY,
    Cause.CANCELED_BY_HUBSPOT: _AGAIN,
    Cause.UNKNOWN_OBJECT_TYPE: PAIR,
    Cause.RECORD_NOT_FOUND: PAIR,
    Cause.NO_DEFAULT_TYPE: PAIR,
    Cause.ASSOCIATION_LIMIT: PAIR,
    Cause.SAME_RECORD: PAIR,
    Cause.REFUSED: _AGAIN,
    Cause.REDIRECTED: ADMIN,
    Cause.TOKEN_REFUSED: ADMIN,
    Cause.SCOPE_MISSING: ADMIN,
    Cause.FORBIDDEN: ADMIN,
    Cause.LOCKED: TRY,
    Cause.RATE_LIMITED: TRY,
    Cause.DAILY_LIMIT: _DAY,
    Cause.MIGRATING: TRY,
    Cause.HUBSPOT_ERROR: TRY,
    Cause.HUBSPOT_DOWN: TRY,
    Cause.TIMED_OUT: TRY,
    Cause.CONNECTION_LOST: TRY,
    Cause.INTERRUPTED: TRY,
    Cause.NO_CONNECTION: _AGAIN,
    Cause.NOT_SENT: TRY,
    Cause.ACCESS_ENDED: TRY,
    Cause.SEEN_GONE: TRY,
    Cause.STILL_LINKED: TRY,
    Cause.NOT_SEEN_GONE: TRY,
    Cause.ALREADY_GONE: TRY,
    Cause.NOT_ALONE: PAIR,
    Cause.MERGED: PAIR,
    Cause.NOT_SEEN_ALONE: TRY,
}


def remedy_of(cause: str, scopes: Iterable[str] = ()) -> Remedy:
    """Return what helps; a token that only lacks scopes to read may link all the same."""
    if cause == Cause.SCOPE_MISSING and scopes and all(each.endswith(".read") for each in scopes):
        return _NOT_READ
    return REMEDIES.get(cause, TRY)


def helper_of(remedy: Remedy, *, is_admin: bool) -> SafeString:
    """Say who can help: whom to tell, or where to look; nothing where nobody else can."""
    text = remedy.for_admins if is_admin else remedy.for_support
    return format_html(str(text), contact=contact(), status=reverse("status"))


def advice_on(remedies: Iterable[Remedy], *, is_admin: bool) -> SafeString:
    """Say whether records can be linked all the same, and who can help."""
    remedies = list(dict.fromkeys(remedies))
    sentences: list[str] = [helper_of(each, is_admin=is_admin) for each in remedies]
    if remedies and all(each.may_be_tried for each in remedies):
        sentences.insert(0, gettext("You can try to link the records all the same."))
    return in_a_row(sentences)


def in_a_row(sentences: Iterable[str]) -> SafeString:
    """Put sentences one after the other, each escaped but where it is HTML."""
    return format_html_join(gap(), "{}", ((each,) for each in sentences if each))


def gap() -> str:
    """Return what stands between two sentences: nothing that is seen in Japanese."""
    return pgettext("between two sentences", " ")
