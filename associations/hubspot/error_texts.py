"""What HubSpot's errors say, wherever within them they say it."""

import re
from typing import Any


def strings_in(value: Any, below: str = "", found: bool = False) -> list[str]:
    """Every string within `value`; with `below`, only those under a key that ends so."""
    if isinstance(value, str):
        return [value] if found or not below else []
    if isinstance(value, dict):
        pairs = value.items()
        return [s for key, v in pairs for s in strings_in(v, below, found or key.endswith(below))]
    if isinstance(value, list):
        return [s for item in value for s in strings_in(item, below, found)]
    return []


def missing_scopes_in(errors: list[Any]) -> list[str]:
    """Return the scopes HubSpot says the token lacks."""
    # missingScopes, requiredScopes, requiredGranularScopes
    strings = " ".join(strings_in(errors, "Scopes"))
    return sorted(set(re.findall(r"[a-z][a-z0-9._-]*[a-z0-9]", strings)))
