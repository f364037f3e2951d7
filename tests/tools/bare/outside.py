"""What stands around the machine, all by TLS: HubSpot's stand-in, an identity provider, and git."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hubadmin.demo.sandbox import Sandbox
from tests.identity.processes import Process, listens
from tests.identity.real_provider import RealProvider
from tests.tools.bare.machine import run

ROOT = Path(__file__).parents[3]
SITE, GIT = "hubadmin.example.com", "git.example.com"
ISSUER, HUBSPOT = "https://login.example.com", "https://hubspot.example.com"
PEOPLE = {"mina": ["hubadmin-support"], "noah": ["hubadmin-admins"]}

_SERVER = """
server {{
  listen 443 ssl;
  server_name {name};
  ssl_certificate {folder}/outside.pem;
  ssl_certificate_key {folder}/outside.key;
  location / {{ {answer} }}
}}"""
_PROXY = """
    proxy_pass {address};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-Proto https;
"""


@dataclass
class Outside:
    """Runs as long as `around` is entered."""

    folder: Path  # with authority.pem, and site.pem and site.key for the machine's own nginx
    hubspot: Sandbox
    provider: RealProvider

    @property
    def authority(self) -> Path:
        return self.folder / "authority.pem"


@contextmanager
def around() -> Iterator[Outside]:
    """Serve https://login.example.com, hubspot.example.com and git.example.com from here."""
    with (
        TemporaryDirectory(prefix="outside-") as name,
        Sandbox() as hubspot,
        RealProvider(issuer=ISSUER) as provider,
    ):
        folder = Path(name)
        folder.chmod(0o755)
        _make_authority(folder)
        _certify(folder, "outside", *(_host(each) for each in (ISSUER, HUBSPOT, GIT)))
        _certify(folder, "site", SITE)
        _publish(folder / "git")
        provider.register([f"https://{SITE}/sign-in/callback"], [f"https://{SITE}/sign-in"])
        for sub, groups in PEOPLE.items():
            provider.set_account(sub, groups)
        with Process(_nginx(folder, hubspot.url, provider.address)) as nginx:
            nginx.wait_until(lambda: listens(443), 20)
            yield Outside(folder, hubspot, provider)


def hosts(inside: str, outside: str) -> str:
    """Who is where, for `/etc/hosts`."""
    names = " ".join(_host(each) for each in (ISSUER, HUBSPOT, GIT))
    return f"127.0.0.1 localhost\n{outside} {names}\n{inside} {SITE}\n"


def _host(address: str) -> str:
    return address.removeprefix("https://")


def _make_authority(folder: Path) -> None:
    _openssl(
        folder,
        "authority",
        "/CN=An authority of one's own",
        "basicConstraints=critical,CA:TRUE",
        "keyUsage=critical,keyCertSign,cRLSign",
    )


def _certify(folder: Path, file: str, *names: str) -> None:
    _openssl(
        folder,
        file,
        f"/CN={names[0]}",
        "basicConstraints=critical,CA:FALSE",
        f"subjectAltName={','.join(f'DNS:{name}' for name in names)}",
        *("-CA", folder / "authority.pem", "-CAkey", folder / "authority.key"),
    )


def _openssl(folder: Path, file: str, subject: str, *more: str | Path) -> None:
    curve = "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"
    options = "req", "-x509", *curve, "-nodes", "-days", "2"
    extensions = [option for text in more[:2] for option in ("-addext", text)]
    files = "-keyout", folder / f"{file}.key", "-out", folder / f"{file}.pem"
    command = "openssl", *options, "-subj", subject, *extensions, *more[2:], *files
    run(*command, stderr=subprocess.DEVNULL)


def _publish(folder: Path) -> None:
    """What is committed here, as a repository that any web server can hand out."""
    bare = folder / "hubadmin.git"
    run("git", "clone", "--quiet", "--bare", "--no-local", ROOT, bare)
    run("git", "-C", bare, "update-server-info")


def _nginx(folder: Path, hubspot: str, provider: str) -> list[str]:
    answers = {
        ISSUER: _PROXY.format(address=provider),
        HUBSPOT: _PROXY.format(address=hubspot),
        GIT: f"root {folder}/git;",
    }
    servers = "".join(
        _SERVER.format(name=_host(name), folder=folder, answer=answer)
        for name, answer in answers.items()
    )
    places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    paths = "".join(f"{name}_temp_path {folder}/{name};\n" for name in places)
    text = f"user root;\npid {folder}/nginx.pid;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}"
    (folder / "nginx.conf").write_text(f"{text}{servers}\n}}\n")
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin") or "nginx"
    options = ["-p", str(folder), "-e", "stderr", "-c", "nginx.conf", "-g", "daemon off;"]
    return [program, *options]
