"""What every page knows of the site."""

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext

from hubadmin.web.language import page_to_come_back_to


def contact() -> str:
    """Whom to ask."""
    # Translators: whom to ask or to tell; it stands within sentences.
    return settings.SSO_CONTACT or gettext("the admin of this site")


def site(request: HttpRequest) -> dict[str, object]:
    return {
        "contact": contact(),
        "languages": settings.LANGUAGES,
        "this_page": page_to_come_back_to(request),
        "max_pasted": settings.MAX_REQUEST_BYTES,
        "in_demo": settings.DEMO,
        "real_hubspot_in_demo": settings.REAL_HUBSPOT_IN_DEMO,
    }
