"""The files of settings of one site, and what is made from them: roles, units, nginx."""

import os
import pwd
import re
import secrets
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

from django.core.management import call_command

from hubadmin.env import BASE_DIR, env
from hubadmin.setup.files import SettingsFile
from hubadmin.setup.questions import host_trouble

DEPLOY = BASE_DIR / "hubadmin" / "deploy"
DATABASE, SIGNING, PUBLIC = "DATABASE_URL", "AUDIT_SIGNING_KEY", "AUDIT_PUBLIC_KEYS"
OWNER, SERVING = "hubadmin_owner", "hubadmin"
BESIDE = "postgres"  # the host's name where compose.yaml runs PostgreSQL itself
ACCOUNT = "hubadmin"  # of this machine, as sysusers.conf makes it; it serves and works


class SiteError(Exception):
    """Why something cannot be made; the message says what to do."""


class Site:
    """On PostgreSQL a file for each account; on SQLite, which is one account's, a single `.env`."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError where there is a file that cannot be read."""
        self.folder = folder.absolute()
        self.single = SettingsFile(folder / ".env", ACCOUNT)
        self.web = SettingsFile(folder / "web.env", ACCOUNT)
        self.sealer = SettingsFile(folder / "sealer.env", "hubadmin-sealer")
        self.owner = SettingsFile(folder / "owner.env")
        self.backup = SettingsFile(folder / "backup.env", "hubadmin-owner")
        self.postgres = SettingsFile(folder / "postgres.env")

    @property
    def served_by(self) -> SettingsFile:
        """What the web server and the workers read."""
        return self.web if DATABASE in self.web.lines or not self.single.lines else self.single

    def write(self, answers: dict[str, str]) -> Iterator[tuple[SettingsFile, list[str]]]:
        """Complete the files, and tell of each what was written. Raises SiteError, OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for file, values in self._planned(answers):
            yield file, file.add(values)

    def _planned(self, answers: dict[str, str]) -> list[tuple[SettingsFile, dict[str, str]]]:
        """web.env comes last: where it has its database, the others were written, here or not."""
        address, serving = answers[DATABASE], _made(answers)
        if DATABASE in self.web.lines:
            return [(self.web, serving)]
        if urlsplit(address).scheme == "sqlite" or DATABASE in self.single.lines:
            has_key = {SIGNING, PUBLIC} & {*self.single.lines}
            return [(self.single, serving | ({} if has_key else _pair()))]
        if self.single.lines:
            raise SiteError(f"{self.single.path} is for SQLite: for PostgreSQL, move it away.")
        keys = {name: self.sealer.lines.get(name, "") for name in (SIGNING, PUBLIC)}
        if not any(keys.values()):
            keys = _pair()
        elif not all(keys.values()):
            raise SiteError(f"{self.sealer.path} has one key of the pair, and needs both.")
        owner = {DATABASE: self.owner.lines.get(DATABASE) or _with_password(address, OWNER)}
        same = {DATABASE: self.sealer.lines.get(DATABASE) or _with_password(address, SERVING)}
        first = [(self.owner, owner), (self.backup, owner), (self.sealer, same | keys)]
        if urlsplit(address).hostname == BESIDE:
            first.append((self.postgres, _passwords(owner[DATABASE], same[DATABASE])))
        return [
            *first,
            (self.web, serving | same | {PUBLIC: keys[PUBLIC]}),
        ]

    def roles(self) -> str:
        """Return what makes the roles with their passwords, for psql's input. Raises SiteError."""
        addresses = [each.lines.get(DATABASE, "") for each in (self.owner, self.web)]
        if not all(addresses):
            raise SiteError(f"{self.owner.path} and web.env there have no addresses of PostgreSQL.")
        owner, serving = map(env.db_url_config, addresses)
        given = {
            r"\set database": owner["NAME"],
            r"\set owner": owner["USER"],
            r"\set serving": serving["USER"],
            r"\setenv HUBADMIN_OWNER_PASSWORD": owner["PASSWORD"],
            r"\setenv HUBADMIN_PASSWORD": serving["PASSWORD"],
        }
        lines = [f"{command} {_for_psql(value)}\n" for command, value in given.items()]
        return "".join(lines) + (DEPLOY / "postgresql-roles.sql").read_text(encoding="utf-8")

    def nginx(self, certificate: str, key: str) -> str:
        """Return nginx' configuration for this host. Raises SiteError."""
        host = self.served_by.lines.get("ALLOWED_HOSTS", "").split(",")[0].strip()
        if trouble := host_trouble(host):
            raise SiteError(f"ALLOWED_HOSTS in {self.served_by.path}: {trouble}")
        for file in (certificate, key):
            if not Path(file).is_file():
                raise SiteError(f"There is no file {file}: --certificate and --certificate-key.")
        text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
        places = {"/etc/ssl/hubadmin.pem": certificate, "/etc/ssl/private/hubadmin.key": key}
        return _filled_in(text, {"hubadmin.example.com": host} | places)

    def units(self) -> dict[Path, str]:
        """Return systemd's units for this host, by their places in its folder. Raises SiteError."""
        places = {"/opt/hubadmin": str(BASE_DIR), "/etc/hubadmin": str(self.folder)}
        folder = DEPLOY / "systemd"
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        text = _filled_in("\0".join(path.read_text(encoding="utf-8") for path in files), places)
        if self.served_by is self.single:
            text = re.sub(r"hubadmin-(sealer|owner|prune)", "hubadmin", text)
            text = re.sub(r"/\w+\.env", "/.env", text)
        return dict(
            zip((path.relative_to(folder) for path in files), text.split("\0"), strict=True)
        )


def _made(answers: dict[str, str]) -> dict[str, str]:
    """What serves besides the answers, of which nobody need be asked."""
    made = answers | {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "METRICS_TOKEN": secrets.token_urlsafe(32),
        "SITE_URL": f"https://{answers['ALLOWED_HOSTS'].split(',')[0].strip()}",
    }
    try:
        home = Path(pwd.getpwnam(ACCOUNT).pw_dir)
    except KeyError:
        return made
    # As the units have it, for commands that are run as this account without them.
    state = {"METRICS_DIR": str(home / "metrics"), "SPOOL_DIR": str(home / ".hubadmin-spool")}
    is_unit = os.geteuid() == 0 and urlsplit(answers[DATABASE]).hostname != BESIDE
    return made | state if is_unit else made  # a container has neither the account nor its folder


def _pair() -> dict[str, str]:
    """A new pair of keys for the seals."""
    told = StringIO()
    call_command("make_audit_key", stdout=told, stderr=StringIO())
    return dict(line.split("=", 1) for line in told.getvalue().splitlines())


def _with_password(address: str, role: str) -> str:
    parts = urlsplit(address)
    return parts._replace(netloc=f"{role}:{secrets.token_urlsafe(32)}@{parts.netloc}").geturl()


def _passwords(owner: str, serving: str) -> dict[str, str]:
    """What PostgreSQL in a container is told: its superuser's password, and those of the roles."""
    return {
        "POSTGRES_PASSWORD": secrets.token_urlsafe(32),
        "HUBADMIN_OWNER_PASSWORD": env.db_url_config(owner)["PASSWORD"],
        "HUBADMIN_PASSWORD": env.db_url_config(serving)["PASSWORD"],
    }


def _for_psql(value: str) -> str:
    escaped = value.replace("\\", r"\\").replace("'", "''")
    return f"'{escaped}'"


def _filled_in(text: str, places: dict[str, str]) -> str:
    for example, here in places.items():
        if example not in text:
            raise SiteError(f"{example} does not stand in hubadmin/deploy any more.")
        text = text.replace(example, here)
    return text
