"""Addresses of records in HubSpot's own pages."""

from .object_types import UnknownObjectTypeError, resolve


def record_url(ui_url: str, portal_id: str, object_type: str, object_id: str) -> str:
    """Return where people see a record; empty if the portal or the type's id is not known."""
    try:
        type_id = resolve(object_type).type_id
    except UnknownObjectTypeError:
        return ""
    if not portal_id or not type_id:
        return ""
    return f"{ui_url.rstrip('/')}/contacts/{portal_id}/record/{type_id}/{object_id}"
