"""What every page knows."""

from datetime import date

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext

from associations.models import BulkRun
from hubadmin.web.language import page_to_come_back_to

ENDED_RUNS = 3
V4_SUPPORT_ENDS = date(2027, 3, 30)  # the earlier of the two dates HubSpot has announced


def contact() -> str:
    """Whom to ask."""
    # Translators: whom to ask or to tell; it stands within sentences.
    return settings.SSO_CONTACT or gettext("the admin of this site")


def ended_runs(request: HttpRequest) -> list[BulkRun]:
    """Return this person's runs that have ended since they last looked, the newest first."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return []
    return list(BulkRun.objects.untold(user).order_by("-pk")[:ENDED_RUNS])


def site(request: HttpRequest) -> dict[str, object]:
    return {
        "contact": contact(),
        "languages": settings.LANGUAGES,
        "this_page": page_to_come_back_to(request),
        # Asked only by a page that shows them, and not by its parts.
        "ended_runs": lambda: ended_runs(request),
        "max_upload": settings.BULK_MAX_BYTES,
        "max_pasted": settings.MAX_REQUEST_BYTES,
        "in_demo": settings.DEMO,
        "real_hubspot_in_demo": settings.REAL_HUBSPOT_IN_DEMO,
        "support_ends": V4_SUPPORT_ENDS if settings.HUBSPOT_API_VERSION == "v4" else None,
    }
