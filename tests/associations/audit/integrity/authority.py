"""A timestamp authority of the tests' own: `openssl ts` behind a small HTTP server."""

import atexit
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from django.test import override_settings

from tests.support import needed

needs_openssl = needed(bool(shutil.which("openssl")), "openssl")
CONFIG = """
[ tsa ]
default_tsa = own
[ own ]
serial = serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256
tsa_name = yes
ess_cert_id_alg = sha256
"""
TIME_STAMPING = ExtendedKeyUsageOID.TIME_STAMPING
TST_INFO = "1.2.840.113549.1.9.16.1.4"
GRANTED = b"\x30\x03\x02\x01\x00"  # PKIStatusInfo


def openssl(folder: Path, *arguments: str) -> bytes:
    command = ["openssl", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout


@cache
def keys() -> Path:
    """A folder with roots `ca` and `stranger`, and what each of them has signed."""
    folder = Path(tempfile.mkdtemp(prefix="authority-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "tsa.cnf").write_text(CONFIG)
    (folder / "serial").write_text("01")
    ca, stranger = (_Signer(folder, name) for name in ("ca", "stranger"))
    between = _Signer(folder, "between", ca)
    chain = [(folder / f"{name}.pem").read_bytes() for name in ("between", "ca")]
    (folder / "chain.pem").write_bytes(b"".join(chain))
    (folder / "backwards.pem").write_bytes(b"".join(reversed(chain)))
    for_mail = ExtendedKeyUsageOID.EMAIL_PROTECTION
    _Signer(folder, "own", ca, TIME_STAMPING)
    _Signer(folder, "short", ca, TIME_STAMPING, until=datetime(2025, 12, 31, tzinfo=UTC))
    _Signer(folder, "other", stranger, TIME_STAMPING)
    _Signer(folder, "mailer", ca, for_mail)
    _Signer(folder, "deeper", between, TIME_STAMPING)
    return folder


class _Signer:
    """A key and its certificate, `name`.key and `name`.pem; without a purpose, an authority."""

    def __init__(
        self,
        folder: Path,
        name: str,
        by: "_Signer | None" = None,
        purpose: x509.ObjectIdentifier | None = None,
        until: datetime = datetime(2040, 1, 1, tzinfo=UTC),
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"The tests' {name}")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name((by or self).name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime(2024, 1, 1, tzinfo=UTC))
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(purpose is None, None), critical=True)
        )
        if purpose:
            usage = x509.ExtendedKeyUsage([purpose])
            certificate = certificate.add_extension(usage, critical=True)
        signed = certificate.sign((by or self).key, hashes.SHA256())
        (folder / f"{name}.pem").write_bytes(signed.public_bytes(Encoding.PEM))
        form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{name}.key").write_bytes(self.key.private_bytes(*form))


def reply(
    query: bytes, *, signer: str = "own", at: datetime | None = None, chain: str = ""
) -> bytes:
    """What `openssl ts` answers; it tells no other time than now, so `at` has another signed."""
    folder = keys()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "q").write_bytes(query)
        by = ["-signer", f"{signer if signer != 'mailer' else 'own'}.pem"]
        by += ["-inkey", f"{signer if signer != 'mailer' else 'own'}.key"]
        by += ["-chain", chain] if chain else []
        ask = ["ts", "-reply", "-config", "tsa.cnf", "-queryfile", str(place / "q"), *by]
        answer = openssl(folder, *ask)
        if at is None and signer != "mailer":
            return answer
        (place / "r").write_bytes(answer)
        openssl(folder, "ts", "-reply", "-in", f"{place}/r", "-token_out", "-out", f"{place}/t")
        told = openssl(folder, "cms", "-verify", "-noverify", "-inform", "DER", "-in", f"{place}/t")
        if at:
            moment = b"\x18\x0f" + at.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode()
            told, count = re.subn(rb"\x18\x0f\d{14}Z", lambda _: moment, told)
            assert count == 1
        (place / "i").write_bytes(told)
        token = openssl(
            *(folder, "cms", "-sign", "-binary", "-nodetach", "-nosmimecap", "-cades"),
            *("-md", "sha256", "-econtent_type", TST_INFO, "-outform", "DER", "-in", f"{place}/i"),
            *("-signer", f"{signer}.pem", "-inkey", f"{signer}.key"),
        )
        return b"\x30\x82" + len(GRANTED + token).to_bytes(2) + GRANTED + token


class Authority:
    """Answers at `url`; `behave` takes a query and gives what is sent, or sends it by itself."""

    def __init__(self) -> None:
        self.behave: Callable[[bytes, BaseHTTPRequestHandler], bytes | None] = self.honest
        self.at: datetime | None = None
        self.status, self.kind = 200, "application/timestamp-reply"
        self.asked: list[dict[str, Any]] = []

    def honest(self, query: bytes, request: BaseHTTPRequestHandler) -> bytes:
        return reply(query, at=self.at)

    def settings(self) -> dict[str, str]:
        return {"AUDIT_TSA_URL": self.url, "AUDIT_TSA_CA": str(keys() / "ca.pem")}

    @contextmanager
    def serving(self) -> Iterator["Authority"]:
        handler = type("Handler", (_Handler,), {"authority": self})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}/tsr"
        try:
            with override_settings(**self.settings()):
                yield self
        finally:
            server.shutdown()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    authority: Authority

    def do_POST(self) -> None:
        query = self.rfile.read(int(self.headers["Content-Length"]))
        self.authority.asked.append({"headers": dict(self.headers), "query": query})
        if (answer := self.authority.behave(query, self)) is None:
            return
        self.send_response(self.authority.status)
        self.send_header("Content-Type", self.authority.kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        with suppress(OSError):  # it was large, and nobody reads on
            self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


def query_about(digest: str, nonce: bool = True) -> bytes:
    """A question that nobody here has asked."""
    more = [] if nonce else ["-no_nonce"]
    return openssl(keys(), "ts", "-query", "-digest", digest, "-sha256", "-cert", *more)


def dripping(query: bytes, request: BaseHTTPRequestHandler) -> None:
    """An answer that always has something more to say, and never all."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        try:
            request.wfile.write(b"0")
        except OSError:
            return
        time.sleep(0.05)
