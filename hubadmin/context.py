"""What every page knows."""

from datetime import date

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext

from .language import page_to_come_back_to

V4_SUPPORT_ENDS = date(2027, 3, 30)  # the earlier of the two dates HubSpot has announced


def contact() -> str:
    """Whom to ask."""
    # Translators: whom to ask or to tell; it stands within sentences.
    return settings.SSO_CONTACT or gettext("the admin of this site")


def site(request: HttpRequest) -> dict[str, object]:
    return {
        "contact": contact(),
        "languages": settings.LANGUAGES,
        "this_page": page_to_come_back_to(request),
        "in_demo": settings.DEMO,
        "real_hubspot_in_demo": settings.REAL_HUBSPOT_IN_DEMO,
        "support_ends": V4_SUPPORT_ENDS if settings.HUBSPOT_API_VERSION == "v4" else None,
    }
