"""Servers on loopback that do not answer as they should, each in one way."""

import datetime
import http.server
import ipaddress
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.identity.processes import free_port


@contextmanager
def listening(handler: type[BaseRequestHandler], context: ssl.SSLContext | None = None) -> Iterator:
    """Yield the address at which such a server listens."""
    with ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads, server.handle_error = True, lambda *_: None
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        scheme = "https" if context else "http"
        yield f"{scheme}://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def answering(
    status: int = 200, body: bytes = b"{}", kind: str = "application/json", ago: float = 0.0
) -> type[BaseRequestHandler]:
    """One that answers so; its clock is so many seconds behind."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def date_time_string(self, timestamp: float | None = None) -> str:
            now = datetime.datetime.now(datetime.UTC).timestamp()
            return super().date_time_string(now - ago)

        def log_message(self, *args: object) -> None:
            pass

    return Handler


class Silent(BaseRequestHandler):
    """Takes a connection and says nothing."""

    def handle(self) -> None:
        threading.Event().wait(30)


class Closing(BaseRequestHandler):
    """Reads a request and closes the connection."""

    def handle(self) -> None:
        self.request.recv(65536)


class Babbling(BaseRequestHandler):
    """Speaks no HTTP."""

    def handle(self) -> None:
        self.request.sendall(b"220 mail.example.com ESMTP\r\n")


PAGE = answering(200, b"<html>Hello", "text/html")


def refused() -> str:
    """An address where nobody listens."""
    return f"http://127.0.0.1:{free_port()}"


@contextmanager
def own_authority() -> Iterator[tuple[ssl.SSLContext, Path]]:
    """A server's TLS, and the file with the authority that vouches for it, which nobody knows."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "own authority")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "authority.pem"
        file.write_bytes(certificate.public_bytes(Encoding.PEM))
        both = Path(folder) / "server.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        both.write_bytes(secret + file.read_bytes())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(both)
        yield context, file
