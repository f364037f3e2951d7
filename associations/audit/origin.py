"""Where a request came from, as the audit log keeps it."""

from django.http import HttpRequest

from associations.linking.services import Origin
from hubadmin.web.client_ip import client_ip


def origin_of(request: HttpRequest) -> Origin:
    return Origin(
        client_ip=client_ip(request),
        user_agent=request.headers.get("User-Agent", "").replace("\0", "")[:300],
        request_id=request.id,
    )
