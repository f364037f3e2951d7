"""The Containerfile and compose file, as far as they can be read: no engine is needed here."""

import json
import re
from pathlib import Path

from django.conf import settings
from django.core.management import get_commands
from django.test import SimpleTestCase
from django.urls import resolve

from hubadmin import gunicorn_conf

DEPLOY = settings.BASE_DIR / "hubadmin" / "deploy"
BACKUPS = "/var/backups/hubadmin"
NIGHTLY = {"clearsessions", "verify", "backup"}


def steps() -> list[tuple[str, str]]:
    """The Containerfile's instructions, each as its name and the rest of its line."""
    text = (DEPLOY / "Containerfile").read_text().replace("\\\n", "")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def told(instruction: str) -> list[str]:
    return [rest for name, rest in steps() if name == instruction]


class ContainerfileTests(SimpleTestCase):
    def test_what_is_copied_is_there_and_is_all_that_serves(self) -> None:
        copied = [each.split()[0] for each in told("COPY") if not each.startswith("--from")]
        for name in copied:
            self.assertTrue((settings.BASE_DIR / name).exists(), name)
        self.assertGreaterEqual({*copied}, {"manage.py", "associations", "hubadmin", "templates"})
        self.assertNotIn(".", copied, "it would take .env along")

    def test_nothing_is_installed_but_what_the_lock_has(self) -> None:
        (install,) = (each for each in told("RUN") if "pip install" in each)
        (command,) = (each for each in install.split("&&") if "pip install" in each)
        options = [each for each in command.split() if each.startswith("-")]
        self.assertEqual(
            {*options} - {"--no-cache-dir"}, {"--require-hashes", "--only-binary", "-r"}
        )
        self.assertEqual(command.split()[-1], "hubadmin/requirements.lock")

    def test_it_is_nobody(self) -> None:
        names = [name for name, _ in steps()]
        (account,) = told("USER")
        self.assertGreater(int(account.split(":")[0]), 0)
        self.assertNotIn("RUN", names[names.index("USER") :])

    def test_what_it_writes_it_may_write_where_all_else_is_read_only(self) -> None:
        places = dict(re.findall(r"(\w+_DIR)=(\S+)", told("ENV")[0]))
        (volume,) = told("VOLUME")
        self.assertEqual({*places}, {"METRICS_DIR", "SPOOL_DIR"})
        self.assertEqual({str(Path(each).parent) for each in places.values()}, {volume})
        (made,) = (each for each in told("RUN") if each.startswith("install -d"))
        user, group = told("USER")[0].split(":")
        self.assertEqual(made, f"install -d -o {user} -g {group} -m 700 {volume} {BACKUPS}")

    def test_it_can_back_up_the_server_of_the_compose_file(self) -> None:
        (client,) = re.findall(r"postgresql-client-(\d+)", told("RUN")[0])
        servers = re.findall(r"library/postgres:(\d+)", (DEPLOY / "compose.yaml").read_text())
        self.assertEqual({*servers}, {client})

    def test_it_serves_as_everywhere_and_its_health_can_be_asked(self) -> None:
        self.assertEqual(
            json.loads(told("CMD")[0]), ["gunicorn", "-c", "python:hubadmin.gunicorn_conf"]
        )
        code = json.loads(re.search(r" CMD (.+)", told("HEALTHCHECK")[0])[1])[-1]
        compile(code, "HEALTHCHECK", "exec")
        port, path = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)'", code).groups()
        self.assertEqual(resolve(path).url_name, "healthz")
        self.assertIn(f"WEB_BIND=0.0.0.0:{port}", told("ENV")[0])


class ComposeTests(SimpleTestCase):
    def setUp(self) -> None:
        self.text = (DEPLOY / "compose.yaml").read_text()
        services = self.text.split("\nservices:\n")[1].split("\nvolumes:\n")[0]
        self.services = dict(re.findall(r"^  (\w+):(.*\n(?:    .+\n)*)", services, re.M))

    def test_each_part_is_there_and_each_command_is_one(self) -> None:
        parts = {"postgres", "roles", "migrate", "grants", "web", "worker", "sealer"}
        self.assertEqual({*self.services}, parts | NIGHTLY)
        self.assertLessEqual({*re.findall(r'"manage.py", "(\w+)"', self.text)}, {*get_commands()})

    def test_the_files_that_it_names_are_there(self) -> None:
        (context, dockerfile) = re.search(r"context: (\S+), dockerfile: (\S+)}", self.text).groups()
        self.assertEqual((DEPLOY / context).resolve(), settings.BASE_DIR)
        self.assertTrue((settings.BASE_DIR / dockerfile).is_file())
        for file in re.findall(r'"\./(\S+?):', self.text):
            self.assertTrue((DEPLOY / file).is_file(), file)

    def test_no_secret_lies_where_an_image_is_made_of_it(self) -> None:
        files = [Path(each) for each in re.findall(r"env_file: (\S+)", self.text)]
        self.assertEqual(len(files), 9)
        for file in files:
            self.assertTrue(file.is_absolute(), file)
        self.assertIn("/etc/hubadmin/sealer.env", self.services["sealer"])
        self.assertIn("/etc/hubadmin/web.env", self.services["web"])

    def test_whatever_runs_can_do_no_more_than_it_has_to(self) -> None:
        (common,) = re.findall(r"^x-hubadmin: &hubadmin\n((?:  .+\n)+)", self.text, re.M)
        for line in (
            "read_only: true",
            "cap_drop: [ALL]",
            "no-new-privileges:true",
            "tmpfs: [/tmp]",
            f'volumes: ["shared:{told("VOLUME")[0]}"]',
        ):
            self.assertIn(line, common)
        for name in ("migrate", "web", "worker", "sealer"):
            self.assertIn("<<: *hubadmin", self.services[name])
        self.assertIn('"127.0.0.1:8000:8000"', self.services["web"])

    def test_what_is_for_the_night_waits_for_it_and_does_as_systemds_timers(self) -> None:
        self.assertIn("profiles: [nightly]\n", self.text.split("x-roles")[0])
        for name in NIGHTLY:
            self.assertIn("<<: [*nightly, *hubadmin]", self.services[name])
            (command,) = re.findall(r"command: (\[.+\])", self.services[name])
            words = json.loads(command)
            unit = (DEPLOY / "systemd" / f"hubadmin-{name}.service").read_text()
            self.assertIn(f"manage.py {words[2]}", unit)
            settings_file = re.search(r"env_file: (\S+)", self.services[name])[1]
            self.assertIn(f"ENV_FILE={settings_file}\n", unit)
        self.assertIn(f'["backups:{BACKUPS}"]', self.services["backup"])
        self.assertIn(f'"{BACKUPS}"', self.services["backup"])

    def test_nobody_serves_before_the_roles_and_the_tables_are_there(self) -> None:
        for before, after in (("roles", "migrate"), ("migrate", "grants"), ("grants", "web")):
            wait = f"depends_on: {{{before}: {{condition: service_completed_successfully}}}}"
            said = self.services[after] if after != "web" else self.text.split("x-roles")[0]
            self.assertIn(wait, said)

    def test_requests_end_before_it_does(self) -> None:
        (patience,) = re.findall(r"stop_grace_period: (\d+)s", self.text)
        self.assertGreater(int(patience), gunicorn_conf.graceful_timeout)
