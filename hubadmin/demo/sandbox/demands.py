"""What the endpoints demand of a call: a token, its scopes, and types that the portal has."""

from associations.hubspot.object_types import ObjectType
from hubadmin.demo.sandbox.http import Call, Refused
from hubadmin.demo.sandbox.portal import TYPES, find_type, scope_name

SCHEMAS_SCOPE = "crm.schemas.custom.read"
_SCOPE_NAMES = sorted({scope_name(object_type) for object_type in TYPES.values()})
_WRITE_SCOPES = [f"crm.objects.{name}.write" for name in _SCOPE_NAMES]
_READ_SCOPES = [f"crm.objects.{name}.read" for name in _SCOPE_NAMES]

# They open nothing but the sandbox.
_TOKENS = ("sandbox", "sandbox-no-scopes", "sandbox-no-read")
SANDBOX_TOKEN, NO_SCOPES_TOKEN, NO_READ_TOKEN = _TOKENS
GRANTED: dict[str, list[str]] = {
    SANDBOX_TOKEN: [*_READ_SCOPES, *_WRITE_SCOPES, SCHEMAS_SCOPE],
    NO_SCOPES_TOKEN: [],
    NO_READ_TOKEN: _WRITE_SCOPES,
}


def require_token(call: Call) -> None:
    """Refuse a call that brings none of the sandbox's tokens."""
    if call.token not in GRANTED:
        raise Refused(
            401,
            "Authentication credentials not found. This API supports OAuth 2.0 authentication.",
            category="INVALID_AUTHENTICATION",
        )


def object_scopes(action: str, *types: ObjectType) -> list[str]:
    """Return the scopes to `read` or `write` these types' records, each once."""
    return list(dict.fromkeys(f"crm.objects.{scope_name(t)}.{action}" for t in types))


def require_scopes(call: Call, *scopes: str) -> None:
    """Refuse a call whose token lacks one of the scopes."""
    missing = [scope for scope in scopes if scope not in GRANTED[call.token]]
    if not missing:
        return
    message = "One or more of the following scopes are required."
    raise Refused(
        403,
        "This app hasn't been granted all required scopes to make this call.",
        category="MISSING_SCOPES",
        context={"missingScopes": missing},
        errors=[{"message": message, "context": {"requiredGranularScopes": missing}}],
        links={"scopes": "https://developers.hubspot.com/scopes"},
    )


def require_type(name: str) -> ObjectType:
    """Return the type that a path segment names, or refuse."""
    object_type = find_type(name)
    if object_type is None:
        raise Refused(400, f"Unable to infer object type from: {name}")
    return object_type


def readable_types(call: Call, *names: str) -> list[ObjectType]:
    """Return the types that path segments name, or refuse a call that may not read them."""
    types = [require_type(name) for name in names]
    require_scopes(call, *object_scopes("read", *types))
    return types
