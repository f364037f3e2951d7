"""ID tokens, sound and forged: byte by byte, as libraries refuse to forge."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm, get_default_algorithms

GOOD, OTHER = (rsa.generate_private_key(65537, 2048) for _ in range(2))
GOOD_EC, OTHER_EC = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
# What a confused verifier takes for the secret of an HMAC.
GOOD_PEM = GOOD.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
ALGORITHMS = get_default_algorithms()


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(header: dict[str, Any], claims: Any, signer: Callable[[bytes], bytes]) -> str:
    """Return a token of any header and claims, with whatever signature the signer makes.

    Claims may be bytes, which are taken as they are.
    """
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    signed = f"{encoded(json.dumps(header).encode())}.{encoded(payload)}"
    return f"{signed}.{encoded(signer(signed.encode()))}"


def sign(
    claims: Any,
    *,
    key: Any = GOOD,
    alg: str = "RS256",
    kid: str | None = "good",
    header: dict[str, Any] | None = None,
) -> str:
    """Return the claims signed by the key; for HMAC that is any bytes, even a public key."""
    names = {"alg": alg, "typ": "JWT"} | ({"kid": kid} if kid else {}) | (header or {})
    return token(names, claims, lambda message: ALGORITHMS[alg].sign(message, key))


def unsigned(claims: Any, alg: str | None = "none", signature: bytes = b"") -> str:
    """Return the claims with a signature that none was."""
    names = {"typ": "JWT", "kid": "good"} | ({"alg": alg} if alg else {})
    return token(names, claims, lambda message: signature)


def tampered(claims: dict[str, Any], **changes: Any) -> str:
    """Return a token with changed claims under the signature of the unchanged ones."""
    signature = sign(claims).rpartition(".")[2]
    return f"{sign(claims | changes).rpartition('.')[0]}.{signature}"


def jwk(key: Any, **more: Any) -> dict[str, Any]:
    """Return the public half as a JWK."""
    kind = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**kind.to_jwk(key.public_key(), as_dict=True), "use": "sig", **more}


def jwks(**keys: Any) -> dict[str, Any]:
    """Return a key set: `jwks(good=GOOD)`."""
    return {"keys": [jwk(key, kid=kid) for kid, key in keys.items()]}


def half_hash(access_token: str) -> str:
    """Return the `at_hash` of the 256-bit algorithms."""
    return encoded(hashlib.sha256(access_token.encode()).digest()[:16])
