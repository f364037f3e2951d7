"""An authority's time (RFC 3161): asks for it, and proves what came, then and ever after.

`rfc3161-client` reads answers and checks them by OpenSSL, as they were when they were given: a
certificate that has expired since was good then.
"""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Annotated

import rfc3161_client as rfc3161
import urllib3
from cryptography import x509
from cryptography.hazmat import asn1
from django.conf import settings

from associations.audit.integrity.manifest import head_of
from associations.hubspot.transport import CALL_DEADLINE, CallDeadline, note_exchanges

SECONDS = 10.0  # for the whole exchange: whoever asks has seals to make
MOST_BYTES = 64 * 1024
_TYPES = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
_SHA256 = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")
_PLAIN_TYPE = re.compile(r"[\w.+-]{1,40}/[\w.+-]{1,40}", re.ASCII)


class AuthorityError(Exception):
    """There is no time that counts; the message, the end of a sentence, says why."""


@dataclass(frozen=True, slots=True)
class Time:
    """What an authority tells: when it saw a head, by which policy, and the number of that."""

    at: datetime
    policy: str
    serial: str


def ask(text: str) -> tuple[bytes, Time]:
    """Have the configured authority tell the time of the seal with this text.

    Return its answer, and what it says. Raises AuthorityError. It takes ten seconds at most.
    """
    trusted = authorities()
    builder = rfc3161.TimestampRequestBuilder().data(text.encode())
    request = builder.hash_algorithm(rfc3161.HashAlgorithm.SHA256).build()
    answer = _post(request.as_bytes())
    told = prove(answer, head_of(text), trusted, nonce=request.nonce)
    return answer, told


def authorities() -> tuple[x509.Certificate, ...]:
    """Return the certificates of AUDIT_TSA_CA. Raises AuthorityError."""
    if not settings.AUDIT_TSA_CA:
        raise AuthorityError("AUDIT_TSA_CA is not set, so no authority is trusted")
    try:
        return tuple(x509.load_pem_x509_certificates(Path(settings.AUDIT_TSA_CA).read_bytes()))
    except OSError as error:
        raise AuthorityError(f"AUDIT_TSA_CA cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise AuthorityError("AUDIT_TSA_CA holds no certificates in PEM") from error


def prove(
    answer: bytes,
    head: str,
    trusted: Iterable[x509.Certificate],
    nonce: int | None = None,
) -> Time:
    """Return the time that an answer tells of this head; with no authority trusted, unproven.

    Raises AuthorityError: for an answer that is none, that is about something else, or that none of
    these authorities signed by a certificate for timestamps that was valid then.
    """
    told = _decoded(answer)
    if told.status != rfc3161.PKIStatus.GRANTED:
        raise AuthorityError(f"it refused (PKIStatus {told.status})")
    try:
        info = told.tst_info
        imprint = info.message_imprint
        if (imprint.hash_algorithm, imprint.message.hex()) != (_SHA256, head):
            raise AuthorityError("what it tells the time of is another text")
        if nonce is not None and info.nonce != nonce:
            raise AuthorityError("its answer is to another request: the nonce is not ours")
        if roots := list(trusted):
            verifier = rfc3161.VerifierBuilder(roots=roots).build()
            verifier.verify(told, bytes.fromhex(head))
        return Time(info.gen_time, info.policy.dotted_string, f"{info.serial_number:x}")
    except rfc3161.VerificationError as error:
        raise AuthorityError(_why(str(error))) from error
    except ValueError as error:
        raise AuthorityError("its answer cannot be read") from error


def _why(text: str) -> str:
    if "EKU" in text:
        return "the certificate that signed it is not one for timestamps"
    if found := re.search(r"Verify error: ([\w '-]+)", text):
        why = found[1].strip()
        if why.startswith(("certificate has expired", "certificate is not yet valid")):
            return f"its certificate was not valid at the time that it tells ({why})"
        return f"no authority of AUDIT_TSA_CA vouches for its signature ({why})"
    return "its signature is not valid"


# --- the exchange ---------------------------------------------------------------------------------


def _post(request: bytes) -> bytes:
    headers = dict(_TYPES)
    if settings.AUDIT_TSA_USER:
        pair = f"{settings.AUDIT_TSA_USER}:{settings.AUDIT_TSA_PASSWORD}"
        headers |= urllib3.util.make_headers(basic_auth=pair)
    CALL_DEADLINE.set(CallDeadline(time.monotonic() + SECONDS, SECONDS))
    try:
        response = _pool().request(
            "POST",
            settings.AUDIT_TSA_URL,
            body=request,
            headers=headers,
            timeout=SECONDS,
            retries=False,
            redirect=False,
            preload_content=False,
        )
        body = response.read(MOST_BYTES + 1)
        response.release_conn() if len(body) <= MOST_BYTES else response.close()
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise AuthorityError(_silence(error)) from error
    if response.status != 200:
        raise AuthorityError(f"it answered with HTTP status {response.status}{_next(response)}")
    if len(body) > MOST_BYTES:
        raise AuthorityError(f"its answer is larger than {MOST_BYTES // 1024} KiB")
    return body if _is_der(body) else _refuse(response)


@cache
def _pool() -> urllib3.PoolManager:
    manager = urllib3.PoolManager(num_pools=1)
    note_exchanges(manager)
    return manager


def _next(response: urllib3.BaseHTTPResponse) -> str:
    if response.status in (401, 403):
        return ": AUDIT_TSA_USER and AUDIT_TSA_PASSWORD are not what it wants"
    return ": it has moved; correct AUDIT_TSA_URL" if 300 <= response.status < 400 else ""


def _is_der(body: bytes) -> bool:
    return body.startswith(b"\x30")  # a SEQUENCE


def _refuse(response: urllib3.BaseHTTPResponse) -> bytes:
    kind = _PLAIN_TYPE.match(response.headers.get("Content-Type", ""))
    raise AuthorityError(f"its answer is no timestamp{f' but {kind[0]}' if kind else ''}")


def _silence(error: Exception) -> str:
    late = isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError)
    if late and not isinstance(error, urllib3.exceptions.NewConnectionError):
        return f"it did not answer within {SECONDS:.0f} seconds"
    told = error.__cause__ or error  # without the addresses and objects that the outer one repeats
    return f"it cannot be reached: {getattr(told, 'strerror', '') or type(told).__name__}"


# --- what came ------------------------------------------------------------------------------------


@asn1.sequence
class _SignedData:
    version: int
    digests: asn1.TLV
    content: asn1.TLV
    certificates: Annotated[list[asn1.TLV] | None, asn1.Implicit(0)]
    crls: Annotated[list[asn1.TLV] | None, asn1.Implicit(1)]
    signers: asn1.TLV


@asn1.sequence
class _Token:
    kind: asn1.TLV
    content: Annotated[_SignedData, asn1.Explicit(0)]


@asn1.sequence
class _Response:
    status: asn1.TLV
    token: _Token


def _decoded(answer: bytes) -> rfc3161.TimeStampResponse:
    for read in (bytes, _in_order):
        try:
            return rfc3161.decode_timestamp_response(read(answer))
        except ValueError:
            continue
    raise AuthorityError("its answer cannot be read")


def _in_order(answer: bytes) -> bytes:
    """The answer with its certificates in the order that DER demands.

    OpenSSL, and authorities that are made of it, send them as they stand in a file; no signature
    covers their order.
    """
    certificates = asn1.decode_der(_Response, answer).token.content.certificates or []
    each = [asn1.encode_der(certificate) for certificate in certificates]
    return answer.replace(b"".join(each), b"".join(sorted(each)), 1)
