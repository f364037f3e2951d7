"""A real Apache in front of hubadmin, private to a test; nothing in /etc/apache2 is read.

What it is told is written as for an administrator, README's example among it. The names in there
(hubadmin.example.com, the files of the certificate) are changed to this machine's when it starts.
"""

import os
import re
import subprocess
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from django.conf import settings

from tests.identity.processes import Process, free_port, listens
from tests.identity.real_provider import RealProvider

APACHE = Path("/usr/sbin/apache2")
MODULES = Path("/usr/lib/apache2/modules")
AVAILABLE = APACHE.exists() and (MODULES / "mod_auth_openidc.so").exists()
ACCOUNT = "www-data"  # Debian's, under which Apache serves when root has started it
LOADED = "mpm_event authn_core authz_core authz_user auth_openidc headers proxy proxy_http ssl"

TLS_PROXY = """
<VirtualHost *:443>
  ServerName hubadmin.example.com
  SSLEngine on
  SSLCertificateFile    /etc/ssl/hubadmin.pem
  SSLCertificateKeyFile /etc/ssl/private/hubadmin.key

  # Set, never passed on. To X-Forwarded-For Apache itself appends the browser's address.
  RequestHeader set X-Forwarded-Proto https

  ProxyPreserveHost On
  ProxyPass        / unix:/run/hubadmin/socket|http://hubadmin/
</VirtualHost>
"""


def tls_proxy(upstream: str) -> str:
    """Ends TLS, and does what README demands of every proxy."""
    return replace(TLS_PROXY, {"unix:/run/hubadmin/socket|http://hubadmin/": upstream})


def naive_proxy(upstream: str, secret: str) -> str:
    """Set up wrongly: it vouches for headers that it passes on as the browser sent them."""
    vouched = f'  RequestHeader set X-SSO-Secret "{secret}"\n\n  ProxyPreserveHost'
    return replace(tls_proxy(upstream), {"  ProxyPreserveHost": vouched})


def openid_proxy(upstream: str, provider: RealProvider, secret: str) -> str:
    """README's example for mod_auth_openidc, nothing changed but names and secrets."""
    readme = (settings.BASE_DIR / "hubadmin" / "sso" / "README.md").read_text()
    (example,) = re.findall(r"^```apache\n(.+?)^```", readme, re.M | re.S)
    changes = {
        "https://login.example.com": provider.issuer,
        "OIDCClientSecret     …": f"OIDCClientSecret {provider.client_secret}",
        "OIDCCryptoPassphrase …": "OIDCCryptoPassphrase for-tests-only",
        "the same as SSO_HEADER_SECRET": secret,
        "unix:/run/hubadmin/socket|http://hubadmin/": upstream,
    }
    return replace(example, changes)


def replace(text: str, changes: dict[str, str]) -> str:
    """The text for this machine; each of these has to stand in it. Raises AssertionError."""
    for old, new in changes.items():
        if old not in text:
            raise AssertionError(f"{old!r} is missing in:\n{text}")
        text = text.replace(old, new)
    return text


class Apache:
    """Serves a site at `origin`, https on this machine, as long as it is entered."""

    def __init__(self, site: str, port: int | None = None) -> None:
        """A `port` chosen before lets the server know its own address while it starts."""
        self.port = port or free_port()
        self.origin = f"https://localhost:{self.port}"
        self._site = site

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="apache-")))
            self.certificate = folder / "certificate.pem"  # for `verify=` of requests
            certify(self.certificate, folder / "key.pem")
            (folder / "apache.conf").write_text(self._configuration(folder))
            command = [str(APACHE), "-DFOREGROUND", "-d", str(folder), "-f", "apache.conf"]
            self._process = stack.enter_context(Process(command))
            self._process.wait_until(lambda: listens(self.port))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def output(self) -> str:
        """Its error log so far."""
        return self._process.output()

    def _configuration(self, folder: Path) -> str:
        lines = [f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED.split()]
        if os.geteuid() == 0:
            lines += [f"User {ACCOUNT}", f"Group {ACCOUNT}"]
        lines += [
            "ServerName localhost",
            f"Listen 127.0.0.1:{self.port}",
            f"DefaultRuntimeDir {folder}",
            f"PidFile {folder}/apache.pid",
            "ErrorLog /dev/stderr",
            f"Define APACHE_LOG_DIR {folder}",
        ]
        here = {
            "*:443": f"127.0.0.1:{self.port}",
            "ServerName hubadmin.example.com": "ServerName localhost",
            "/etc/ssl/hubadmin.pem": str(self.certificate),
            "/etc/ssl/private/hubadmin.key": str(folder / "key.pem"),
        }
        site = replace(self._site, here).replace("https://hubadmin.example.com", self.origin)
        return "\n".join([*lines, site])


def certify(certificate: Path, key: Path, name: str = "DNS:localhost") -> None:
    """Make a certificate for this machine, or for another name, signed by itself."""
    options = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    extensions = (f"subjectAltName={name}", "keyUsage=critical,digitalSignature,keyCertSign")
    command = ["openssl", "req", *options.split(), "-keyout", key, "-out", certificate]
    for extension in extensions:
        command += ["-addext", extension]
    subprocess.run(command, check=True, capture_output=True)
