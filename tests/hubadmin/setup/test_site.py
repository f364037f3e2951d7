"""What setup makes from the files of settings, as nginx, systemd and PostgreSQL take it."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest import mock
from urllib.parse import quote

from django.conf import settings
from django.test import tag

from hubadmin.setup import site
from hubadmin.setup.site import Site, SiteError
from tests.faults.postgresql import Cluster
from tests.hubadmin.deploy.nginx import NGINX
from tests.hubadmin.deploy.test_systemd import ANALYZE, UNITS
from tests.hubadmin.setup.base import GIVEN, SetupTestCase
from tests.identity.apache import certify, replace
from tests.identity.processes import free_port
from tests.support import needed

PASSWORD = "s@/#?:%x $1'\\\"é\\n"
PLACES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class NginxTests(SetupTestCase):
    def setUp(self) -> None:
        super().setUp()
        (self.folder / "web.env").write_text("ALLOWED_HOSTS=hub.example.org, other.example.org\n")
        self.files = str(self.folder / "cert.pem"), str(self.folder / "key.pem")
        certify(*map(Path, self.files))

    @needed(NGINX, "nginx")
    def test_nginx_itself_has_nothing_to_say_against_it(self) -> None:
        flags = "--nginx", "--certificate", self.files[0], "--certificate-key", self.files[1]
        text = self.setup_site(*flags)
        self.assertNotIn("example.com", text)
        self.assertEqual(text.count("hub.example.org"), 3)
        here = {
            "listen 80;": f"listen 127.0.0.1:{free_port()};",
            "listen [::]:80;": "",
            "listen 443 ssl;": f"listen 127.0.0.1:{free_port()} ssl;",
            "listen [::]:443 ssl;": "",
            "/var/log/nginx/": f"{self.folder}/",
        }
        paths = "".join(f"{name}_temp_path {self.folder}/{name};\n" for name in PLACES)
        user = "user root;\n" if os.geteuid() == 0 else ""
        whole = (
            f"{user}pid {self.folder}/pid;\nevents {{}}\nhttp {{\n{paths}{replace(text, here)}}}"
        )
        (self.folder / "nginx.conf").write_text(whole)
        command = [
            NGINX or "nginx",
            "-t",
            "-p",
            str(self.folder),
            "-e",
            "stderr",
            "-c",
            "nginx.conf",
        ]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertNotRegex(ended.stderr, r"\[(warn|error|emerg)\]")

    def test_what_nginx_would_stumble_over_is_refused(self) -> None:
        with self.assertRaisesRegex(SiteError, "There is no file /nowhere.pem: --certificate"):
            Site(self.folder).nginx("/nowhere.pem", self.files[1])
        for host in ("", "*", ".example.org", "https://hub.example.org", "a b.example.org"):
            (self.folder / "web.env").write_text(f"ALLOWED_HOSTS={host}\n")
            with self.subTest(host), self.assertRaisesRegex(SiteError, "no name of a host"):
                Site(self.folder).nginx(*self.files)

    def test_an_example_that_stands_nowhere_any_more_is_a_mistake(self) -> None:
        (self.folder / "nginx.conf").write_text("server_name example.com;")
        (self.folder / "systemd").mkdir()
        (self.folder / "systemd" / "a.service").write_text("ENV_FILE=/etc/hubadmin/web.env")
        with mock.patch.object(site, "DEPLOY", self.folder):
            with self.assertRaisesRegex(SiteError, "hubadmin.example.com does not stand"):
                Site(self.folder).nginx(*self.files)
            with self.assertRaisesRegex(SiteError, "/opt/hubadmin does not stand"):
                Site(self.folder).units()


class UnitsTests(SetupTestCase):
    def units(self) -> dict[str, str]:
        """As they come to stand in a folder of systemd's."""
        folder = Path(self.enterContext(tempfile.TemporaryDirectory())) / "units"
        folder.mkdir()
        self.setup_site("--units", str(folder))
        found = [each for each in folder.rglob("*") if each.is_file()]
        for each in (*found, *(each.parent for each in found if each.parent != folder)):
            self.assertEqual(each.stat().st_mode & 0o444, 0o444)
        if ANALYZE:
            names = [f"./{each.name}" for each in found if each.parent == folder]
            command = [ANALYZE, "verify", "--man=no", *names]
            ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
            self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        return {str(each.relative_to(folder)): each.read_text() for each in found}

    @needed(ANALYZE, "systemd-analyze")
    def test_each_unit_is_there_with_the_places_of_this_host(self) -> None:
        found = self.units()
        there = {each.relative_to(UNITS) for each in UNITS.rglob("*") if each.is_file()}
        self.assertEqual({*found}, {*map(str, there)})
        text = "".join(found.values())
        for example in ("/opt/hubadmin", "/etc/hubadmin"):
            self.assertNotIn(example, text)
        self.assertIn(f"WorkingDirectory={settings.BASE_DIR}", text)
        self.assertIn(f"ENV_FILE={self.folder}/sealer.env", found["hubadmin-sealer.service"])
        self.assertIn("User=hubadmin-sealer", found["hubadmin-sealer.service"])

    @needed(ANALYZE, "systemd-analyze")
    def test_on_sqlite_all_are_one_account_with_one_file(self) -> None:
        (self.folder / ".env").write_text("DATABASE_URL=sqlite:////x/y\n")
        text = "".join(self.units().values())
        self.assertEqual({*re.findall(r"^User=(.+)", text, re.M)}, {"hubadmin"})
        self.assertEqual({*re.findall(r"ENV_FILE=(.+)", text)}, {f"{self.folder}/.env"})
        self.assertNotRegex(text, r"/var/lib/hubadmin-|StateDirectory=.*hubadmin-")


@tag("own_database")
@needed(shutil.which("pg_config"), "PostgreSQL's server")
class RolesTests(SetupTestCase):
    """README's order, on a PostgreSQL that wants passwords: roles, migrate, roles, serve."""

    def test_passwords_that_were_made_and_one_of_any_characters(self) -> None:
        cluster = self.enterContext(Cluster(strict=True))
        address = f"localhost:{cluster.port}/h?sslmode=require"
        (self.folder / "owner.env").write_text(
            f"DATABASE_URL=postgres://h_owner:{quote(PASSWORD, safe='')}@{address}\n"
        )
        self.setup_site("--database-url", f"postgres://{address}", **GIVEN)
        self.roles(cluster.by_socket)
        self.run_as("owner.env", "migrate", "-v0")
        self.roles(cluster.by_socket)
        self.run_as("sealer.env", "seal_audit_log")
        self.run_as("backup.env", "check", "--database", "default")
        told = json.loads(self.manage("doctor", "--json", ENV_FILE=self.file("web.env")).stdout)
        (database,) = [each for each in told["sections"] if each["name"] == "Database"]
        self.assertEqual({each["level"] for each in database["findings"]}, {"ok"})
        texts = [each["text"] for each in database["findings"]]
        self.assertIn("The role hubadmin may what serving takes, and no more.", texts)

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def run_as(self, name: str, *arguments: str) -> None:
        ended = self.manage(*arguments, ENV_FILE=self.file(name))
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assert_nothing_secret(ended.stdout + ended.stderr)

    def roles(self, superuser: str) -> None:
        made = self.manage("setup", "--dir", str(self.folder), "--roles")
        self.assertEqual((made.returncode, made.stderr), (0, ""))
        ended = subprocess.run(
            [shutil.which("psql") or "psql", superuser, "--no-psqlrc"],
            input=made.stdout,
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (0, "", ""))

    def test_without_files_there_is_nothing_to_make(self) -> None:
        ended = self.manage("setup", "--dir", str(self.folder), "--roles")
        self.assertEqual((ended.returncode, ended.stdout), (1, ""))
        self.assertIn("no addresses of PostgreSQL", ended.stderr)
