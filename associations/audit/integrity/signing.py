"""Ed25519 signatures of the seals' heads: whoever can write to the database still cannot sign.

Keys are 32 bytes in base64, as `manage.py make_audit_key` prints them.
"""

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

if TYPE_CHECKING:
    from associations.models import AuditErasure, AuditPruning, AuditTimestamp


class SigningKeyError(ValueError):
    """A key is missing or is none; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One that may have signed; `text` is the key in base64, `id` what the seals call it."""

    id: str
    text: str
    key: Ed25519PublicKey

    def signed(self, text: str, signature: str) -> bool:
        try:
            self.key.verify(base64.b64decode(signature, validate=True), text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


def new_key() -> tuple[str, str]:
    """Return a new signing key and its public key."""
    private = Ed25519PrivateKey.generate()
    secret = base64.b64encode(private.private_bytes_raw()).decode()
    return secret, _public(private.public_key()).text


def sign(text: str) -> str:
    """Return the signature of a text in base64. Raises SigningKeyError."""
    return base64.b64encode(_private_key().sign(text.encode())).decode()


def own_key() -> PublicKey:
    """Return the public key of what signs here. Raises SigningKeyError."""
    return _public(_private_key().public_key())


def trusted_keys() -> dict[str, PublicKey]:
    """Return the keys whose signatures count here, by id: the own one's and those named."""
    keys = [_read_public(text) for text in settings.AUDIT_PUBLIC_KEYS]
    if settings.AUDIT_SIGNING_KEY:
        keys.append(own_key())
    return {key.id: key for key in keys}


def is_signed(row: "AuditErasure | AuditPruning | AuditTimestamp") -> bool:
    """Whether a key that is trusted here has signed what the row says. Raises SigningKeyError."""
    return any(key.signed(row.statement, row.signature) for key in trusted_keys().values())


def _private_key() -> Ed25519PrivateKey:
    if not settings.AUDIT_SIGNING_KEY:
        raise SigningKeyError(
            "AUDIT_SIGNING_KEY is not set, so nothing can be sealed. `manage.py make_audit_key` "
            "makes one."
        )
    try:
        return Ed25519PrivateKey.from_private_bytes(_decoded(settings.AUDIT_SIGNING_KEY))
    except ValueError:
        raise SigningKeyError(
            "AUDIT_SIGNING_KEY is no key: it must be 32 bytes in base64, as `manage.py "
            "make_audit_key` makes them."
        ) from None


def _read_public(text: str) -> PublicKey:
    try:
        return _public(Ed25519PublicKey.from_public_bytes(_decoded(text)))
    except ValueError:
        raise SigningKeyError(
            f"AUDIT_PUBLIC_KEYS names {text!r}, which is no key: it must be 32 bytes in base64."
        ) from None


def _public(key: Ed25519PublicKey) -> PublicKey:
    raw = key.public_bytes_raw()
    return PublicKey(hashlib.sha256(raw).hexdigest()[:16], base64.b64encode(raw).decode(), key)


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
