"""Secrets that come from files, as the real commands read them: with nothing else set."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from base64 import b64encode
from pathlib import Path

from django.conf import settings
from django.test import tag

from tests.hubadmin.test_settings import PRODUCTION, secrets

NAMES = sorted(secrets())
# Each as good as the checks demand, with a word by which it would be found again.
VALUES = {name: f"canary-{name.lower()}-0123456789abcdefghijklmnopqrstuvwxyz" for name in NAMES}
VALUES["AUDIT_SIGNING_KEY"] = b64encode(b"canary-audit-signing-key-0123456").decode()
VALUES["WORKER_BROKER_URL"] = "redis://:canary-password@127.0.0.1:9/0"
VALUES["DATABASE_URL"] = "sqlite:////tmp/canary-database.sqlite3"
VALUES["NOTICE_RECEIVERS"] = "ops json https://canary.example/"
VALUES["EMAIL_URL"] = "smtp+tls://canary-user:canary-password@mail.example.com:587"
ADDRESSES = ("DATABASE_URL", "EMAIL_URL")  # these are read, and so not taken as they are


class SecretFileTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def files(self, values: dict[str, bytes]) -> dict[str, str]:
        """The variables that name files with these contents."""
        for name, value in values.items():
            (self.folder / name).write_bytes(value)
        return {f"{name}_FILE": str(self.folder / name) for name in values}

    def good_files(self) -> dict[str, str]:
        return self.files({name: value.encode() for name, value in VALUES.items()})

    def run_python(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        """Production without its secrets, and with nothing of this process's own environment."""
        production = {name: value for name, value in PRODUCTION.items() if name not in NAMES}
        ended = subprocess.run(
            [sys.executable, *arguments],
            cwd=settings.BASE_DIR,
            env={"PATH": os.environ["PATH"]} | production | environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertNotIn("Traceback", ended.stderr)
        return ended

    def check(self, **environment: str) -> subprocess.CompletedProcess:
        return self.run_python("manage.py", "check", "--deploy", **environment)

    def assert_refused(self, *sentences: str, **environment: str) -> None:
        ended = self.check(**environment)
        self.assertNotEqual(ended.returncode, 0)
        for sentence in sentences:
            self.assertIn(sentence, ended.stderr)
        self.assertNotIn("canary", ended.stderr + ended.stdout, "a refusal shows no secret")


@tag("own_database")
class ReadTests(SecretFileTestCase):
    def read(self, **environment: str) -> dict[str, str]:
        code = "import json; from django.conf import settings as s; print(json.dumps({"
        where = {
            "DATABASE_URL": "'sqlite:///' + s.DATABASES['default']['NAME']",
            "SECRET_KEY_FALLBACKS": "','.join(s.SECRET_KEY_FALLBACKS)",
            "NOTICE_RECEIVERS": "' '.join(s.NOTICE_RECEIVERS[0][:3])",
        }
        where["EMAIL_URL"] = (
            "f'smtp+tls://{s.EMAIL_HOST_USER}:{s.EMAIL_HOST_PASSWORD}@{s.EMAIL_HOST}:{s.EMAIL_PORT}'"
        )
        code += ", ".join(f"{name!r}: {where.get(name, f's.{name}')}" for name in NAMES) + "}))"
        ended = self.run_python("manage.py", "shell", "-v0", "-c", code, **environment)
        return json.loads(ended.stdout)

    def test_each_is_read_and_stripped(self) -> None:
        self.assertGreaterEqual({*NAMES}, {"SECRET_KEY", "HUBSPOT_ACCESS_TOKEN", "DATABASE_URL"})
        self.assertEqual(self.read(**self.good_files()), VALUES)
        padded = {name: f" \t{value} \r\n\n".encode() for name, value in VALUES.items()}
        self.assertEqual(self.read(**self.files(padded)), VALUES)

    def test_a_secret_that_looks_like_a_variable_is_taken_as_it_is(self) -> None:
        values = VALUES | {name: f"$HOME{VALUES[name]}" for name in NAMES if name not in ADDRESSES}
        self.assertEqual(self.read(**values), values)
        files = self.files({name: value.encode() for name, value in values.items()})
        self.assertEqual(self.read(**files), values)

    def test_the_server_may_have_all_that_its_mode_needs_from_files(self) -> None:
        files = self.good_files()
        del files["SSO_HEADER_SECRET_FILE"]  # it is for another mode
        ended = self.check(**files, SITE_URL="https://hub.example.com")
        self.assertEqual(ended.returncode, 0, ended.stderr)

    def test_a_secret_of_another_mode_contradicts_even_in_a_file(self) -> None:
        self.assert_refused("SSO_HEADER_SECRET is set, which is for", **self.good_files())


@tag("own_database")
class RefusedTests(SecretFileTestCase):
    def test_both_the_variable_and_the_file(self) -> None:
        said = [f"{name} and {name}_FILE are both set" for name in NAMES]
        self.assert_refused(*said, **self.good_files(), **VALUES)

    def test_no_such_file(self) -> None:
        missing = {f"{name}_FILE": f"{self.folder}/nowhere-{name}" for name in NAMES}
        said = [f"{name} is '{file}', which cannot be read" for name, file in missing.items()]
        self.assert_refused(*said, "No such file", **missing)

    def test_a_folder_in_its_place(self) -> None:
        said = [f"{name}_FILE is '{self.folder}', which cannot be read" for name in NAMES]
        self.assert_refused(*said, **{f"{name}_FILE": str(self.folder) for name in NAMES})

    @unittest.skipIf(os.geteuid() == 0, "to root every file is readable")
    def test_a_file_of_somebody_else(self) -> None:
        files = self.good_files()
        for file in files.values():
            Path(file).chmod(0)
        self.assert_refused(*[f"{name}_FILE is " for name in NAMES], "Permission denied", **files)

    def test_a_file_that_is_not_text(self) -> None:
        for content in (b"\xff\xfe\x00canary", "canary-\xe4".encode("latin-1")):
            files = self.files(dict.fromkeys(NAMES, content))
            said = [f"{name} is '{file}', which cannot be read" for name, file in files.items()]
            self.assert_refused(*said, **files)

    def test_a_file_without_anything_in_it(self) -> None:
        for content in (b"", b" \n"):
            files = self.files(dict.fromkeys(NAMES, content))
            said = [f"{name} is '{file}', which is empty" for name, file in files.items()]
            self.assert_refused(*said, **files)

    # Every command runs these checks first: `migrate` and `people` have to refuse, too, rather than
    # work on another database than the one that was meant.
    def test_no_command_takes_another_database_for_want_of_its_address(self) -> None:
        ended = self.run_python("manage.py", "check", DATABASE_URL_FILE=f"{self.folder}/nowhere")
        self.assertNotEqual(ended.returncode, 0)
        self.assertIn("DATABASE_URL_FILE", ended.stderr)


@tag("own_database")
class ServingTests(SecretFileTestCase):
    def test_gunicorn_does_not_start(self) -> None:
        files = {f"{name}_FILE": f"{self.folder}/nowhere" for name in NAMES}
        ended = self.run_python("-m", "gunicorn", "-c", "python:hubadmin.gunicorn_conf", **files)
        self.assertNotEqual(ended.returncode, 0)
        self.assertIn("hubadmin does not start", ended.stderr)
        for name in NAMES:
            self.assertIn(f"{name}_FILE is", ended.stderr)
