"""Where a request came from."""

import ipaddress
import re

from django.conf import settings
from django.http import HttpRequest


def client_ip(request: HttpRequest) -> str | None:
    """Return the address that our own outermost proxy saw; what stands left of it is hearsay."""
    chain = [request.META.get("REMOTE_ADDR", "")]
    if settings.TRUSTED_PROXY_COUNT:
        chain = request.headers.get("X-Forwarded-For", "").split(",")
    if len(chain) < settings.TRUSTED_PROXY_COUNT:
        return None
    seen = chain[-max(1, settings.TRUSTED_PROXY_COUNT)].strip()
    # Some proxies add the port: 192.0.2.1:5678 or [2001:db8::1]:5678.
    bare = re.sub(r"^(?:\[(.+)\]|([0-9.]+))(?::[0-9]+)?$", r"\1\2", seen)
    try:
        address = ipaddress.ip_address(bare.split("%")[0])  # a zone (%eth0) is no database's
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)
