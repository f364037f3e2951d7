"""Which scopes a token needs for records of a type, by HubSpot's names for them."""

from collections.abc import Collection, Set

from associations.hubspot.object_types import UnknownObjectTypeError, resolve

ACTIONS = ("read", "write")
# Notes, calls and the like, which HubSpot lets a token have together with contacts.
_WITH_CONTACTS = frozenset({"0-18", "0-27", "0-46", "0-47", "0-48", "0-49", "0-116"})
_OLD_NAMES = {"crm.objects.tickets.read": "tickets", "crm.objects.tickets.write": "tickets"}


def scopes_for(object_types: Collection[str], actions: Collection[str] = ACTIONS) -> set[str]:
    """Return what a token needs to link records of these types, and to look at them."""
    names = {_scope_name(each) for each in object_types} - {""}
    return {f"crm.objects.{name}.{action}" for name in names for action in actions}


def has_scope(granted: Set[str], scope: str) -> bool:
    return scope in granted or _OLD_NAMES.get(scope) in granted


def _scope_name(object_type: str) -> str:
    try:
        known = resolve(object_type)
    except UnknownObjectTypeError:
        return ""
    if not known.type_id or known.type_id.startswith("2-"):
        return "custom"
    name = "contacts" if known.type_id in _WITH_CONTACTS else known.plural
    return name.lower().replace(" ", "_")
