"""Settings: complete in their README, safe in production, and demanded when serving starts."""

import ast
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import requests
from django.conf import settings
from django.test import tag

from associations.audit.integrity import signing

ROOT = settings.BASE_DIR
README, SETTINGS = ROOT / "README.md", ROOT / "hubadmin" / "README.md"
PRODUCTION = {
    "ENV_FILE": "",
    "DJANGO_SETTINGS_MODULE": "hubadmin.settings",
    "SECRET_KEY": "q7fX-long-and-random-enough-for-djangos-own-check-0192837465",
    "ALLOWED_HOSTS": "hubadmin.example.com,127.0.0.1",
    "HUBSPOT_ACCESS_TOKEN": "pat-na1-canary00-0000",
    "AUDIT_SIGNING_KEY": "dGhlIHRlc3RzIHNpZ24gd2l0aCB0aGlzIG9uZSBrZXk=",
    "SSO_MODE": "oidc",
    "SSO_ISSUER": "https://id.example.com",
    "SSO_CLIENT_ID": "hubadmin",
    "SSO_CLIENT_SECRET": "canary-client-secret",
    "SSO_SUPPORT_GROUPS": "support",
    "SSO_ADMIN_GROUPS": "admin",
}


def calls(is_ours: Callable[[ast.expr], bool]) -> set[str]:
    """The names that settings.py and env.py pass to such functions."""
    sources = [(ROOT / "hubadmin" / name).read_text() for name in ("settings.py", "env.py")]
    return {
        call.args[0].value
        for source in sources
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call)
        and is_ours(call.func)
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }


READERS = ("names", "number", "percent", "log_level", "time_zone")


def secrets() -> set[str]:
    """The names that may also come from a file."""
    return calls(lambda function: isinstance(function, ast.Name) and function.id == "secret")


def variables() -> set[str]:
    """The names that the settings read from the environment."""
    return (
        secrets()
        | calls(lambda function: isinstance(function, ast.Name) and function.id in READERS)
        | calls(
            lambda function: (
                isinstance(function, ast.Attribute)
                and isinstance(function.value, ast.Name)
                and function.value.id == "env"
            )
        )
    )


class DocumentedTests(unittest.TestCase):
    def test_the_readme_and_the_example_name_every_variable_and_no_other(self) -> None:
        self.assertIn("HUBSPOT_ACCESS_TOKEN", variables())
        table = re.findall(r"^\| `([A-Z][A-Z0-9_]+)` \|", SETTINGS.read_text(), re.M)
        self.assertEqual(sorted(table), sorted(variables()))
        example = re.findall(r"^#? ?([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.M)
        self.assertEqual(sorted(example), sorted(variables() - {"ENV_FILE"}))

    def test_the_readme_names_every_secret_that_may_come_from_a_file(self) -> None:
        self.assertIn("SECRET_KEY", secrets())
        readme = SETTINGS.read_text()
        for name in secrets():
            self.assertIn(f"`{name}_FILE`", readme)


@tag("long")
class ProductionTests(unittest.TestCase):
    def run_manage(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, ROOT / "manage.py", *arguments],
            env=os.environ | PRODUCTION | environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def test_the_deployment_check_is_clean_with_every_api_version(self) -> None:
        for version in ("v4", "2026-03", "2026-09"):
            ended = self.run_manage(
                "check", "--deploy", "--fail-level", "WARNING", HUBSPOT_API_VERSION=version
            )
            self.assertEqual(ended.returncode, 0, ended.stderr)
            self.assertEqual("30 March 2027" in ended.stderr, version == "v4")

    def test_it_is_clean_for_the_least_that_readme_says_serves(self) -> None:
        (block,) = re.findall(r"^export SECRET_KEY.+?(?=^```)", README.read_text(), re.M | re.S)
        exported = re.findall(r"([A-Z0-9_]+)=(\S+)", block)
        secrets = {name: PRODUCTION.get(name, PRODUCTION["SECRET_KEY"]) for name, _ in exported}
        secrets["AUDIT_PUBLIC_KEYS"] = signing.new_key()[1]
        self.assertNotIn("AUDIT_SIGNING_KEY", secrets)
        least = {name: value.replace("…", secrets[name]) for name, value in exported}
        ended = subprocess.run(
            [sys.executable, ROOT / "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
            env={"PATH": os.environ["PATH"], "ENV_FILE": ""} | least,
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(ended.returncode, 0, ended.stderr)

    def test_a_number_that_is_none_is_told_in_a_sentence(self) -> None:
        ended = self.run_manage("check", SSO_IDLE_SECONDS="1h")
        self.assertNotEqual(ended.returncode, 0)
        self.assertIn("SSO_IDLE_SECONDS is '1h'; it must be a whole number.", ended.stderr)
        self.assertNotIn("Traceback", ended.stderr)

    def test_cookies(self) -> None:
        names = ["SESSION_COOKIE", "CSRF_COOKIE"]
        code = "from django.conf import settings as s; print(" + ", ".join(
            f"s.{n}_NAME, s.{n}_SECURE, s.{n}_HTTPONLY, s.{n}_SAMESITE, s.{n}_DOMAIN, s.{n}_PATH"
            for n in names
        )
        ended = self.run_manage("shell", "--no-imports", "-c", code + ")")
        self.assertEqual(
            ended.stdout.split(),
            [
                "__Host-sessionid",
                "True",
                "True",
                "Lax",
                "None",
                "/",
                "__Host-csrftoken",
                "True",
                "True",
                "Lax",
                "None",
                "/",
            ],
            ended.stderr,
        )

    def test_an_env_file_is_read_and_what_is_exported_wins(self) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".env") as file:
            file.write("HUBSPOT_PORTAL_ID=77\nTIME_ZONE=Asia/Tokyo\n")
            file.flush()
            code = "from django.conf import settings as s; print(s.HUBSPOT_PORTAL_ID, s.TIME_ZONE)"
            ended = self.run_manage(
                "shell", "--no-imports", "-c", code, ENV_FILE=file.name, TIME_ZONE="Europe/Paris"
            )
            self.assertEqual(ended.stdout.split(), ["77", "Europe/Paris"], ended.stderr)

    def test_one_that_is_named_and_cannot_be_read_stops_every_command(self) -> None:
        """Or `migrate` would make its tables in a database of the checkout, and say no word."""
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "no text").write_bytes(b"SECRET_KEY=\xff\xfe\n")
        aside = f"sqlite:///{folder}/db.sqlite3"
        for file in (folder / "web.env", folder, folder / "no text"):
            for command in ("migrate", "clearsessions", "run_worker", "verify_audit_log"):
                with self.subTest(file=file.name, command=command):
                    ended = self.run_manage(command, ENV_FILE=str(file), DATABASE_URL=aside)
                    self.assertNotEqual(ended.returncode, 0)
                    self.assertIn(f"ENV_FILE is '{file}', which cannot be read", ended.stderr)
                    self.assertNotIn("Traceback", ended.stderr)
        # One that does without the checks finds no database.
        code = "from django.db import connection as c; print(c.settings_dict['NAME'])"
        for named in ({}, {"ENV_FILE": ""}):
            ended = self.run_manage(
                "shell", "--no-imports", "-v0", "-c", code, **{"ENV_FILE": str(folder)} | named
            )
            self.assertEqual(ended.stdout == ":memory:\n", not named, ended.stderr)
        with closing(sqlite3.connect(folder / "db.sqlite3")) as database:
            self.assertEqual(database.execute("SELECT name FROM sqlite_master").fetchall(), [])


@tag("own_database")
class ServingTests(unittest.TestCase):
    """gunicorn with the production settings, as README starts it."""

    def start(self, **environment: str) -> subprocess.Popen:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        own = {
            "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
            "WEB_BIND": f"127.0.0.1:{self.port}",
            "WEB_WORKERS": "1",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "python:hubadmin.gunicorn_conf"],
            cwd=ROOT,
            env=os.environ | PRODUCTION | own | environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def get(self, path: str, **headers: str) -> requests.Response:
        deadline = time.monotonic() + 20
        while True:
            try:
                return requests.get(
                    f"http://127.0.0.1:{self.port}{path}",
                    headers=headers,
                    allow_redirects=False,
                    timeout=5,
                )
            except requests.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def test_it_does_not_start_without_its_secrets(self) -> None:
        for name in ("SECRET_KEY", "HUBSPOT_ACCESS_TOKEN", "ALLOWED_HOSTS"):
            with self.subTest(name):
                process = self.start(**{name: ""})
                _, errors = process.communicate(timeout=30)
                self.assertNotEqual(process.returncode, 0)
                self.assertIn(f"{name} is not set", errors)
                self.assertNotIn("Traceback", errors)

    def test_it_does_not_send_the_token_in_the_clear(self) -> None:
        process = self.start(HUBSPOT_API_BASE_URL="http://hubspot.example.com")
        _, errors = process.communicate(timeout=30)
        self.assertIn("must be an https address", errors)

    def test_it_serves_and_its_log_is_json(self) -> None:
        process = self.start()
        self.assertEqual(self.get("/healthz").json(), {"status": "ok"})
        redirect = self.get("/", Host="hubadmin.example.com")
        self.assertEqual(redirect.headers["Location"], "https://hubadmin.example.com/")
        # Without a trusted proxy its headers say nothing; gunicorn believes none of its own accord.
        spoofed = self.get(
            "/", **{"X-Forwarded-Proto": "https", "SCRIPT_NAME": "/x", "Host": "127.0.0.1"}
        )
        self.assertEqual(spoofed.headers["Location"], "https://127.0.0.1/")
        self.assertEqual(self.get("/readyz").status_code, 503)  # nobody has migrated yet
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
        lines = [line for line in errors.splitlines() if line]
        self.assertTrue(lines)
        for line in lines:
            self.assertRegex(line, r'^\{"time": ".+\}$')
        self.assertNotIn("canary", errors)

    def test_with_a_trusted_proxy_its_scheme_counts(self) -> None:
        self.start(TRUSTED_PROXY_COUNT="1")
        answer = self.get("/", **{"X-Forwarded-Proto": "https", "Host": "hubadmin.example.com"})
        self.assertTrue(answer.headers["Location"].startswith("/sign-in"))
        self.assertIn("max-age=31536000", answer.headers["Strict-Transport-Security"])
