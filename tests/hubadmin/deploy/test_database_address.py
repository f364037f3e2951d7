"""A PostgreSQL that wants a password, of any characters, and TLS by an authority of one's own."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.test import SimpleTestCase, tag

from hubadmin import env
from tests.associations.audit.integrity.serving import run_the_script
from tests.faults.postgresql import Cluster
from tests.support import needed

PASSWORD = "s@/#?:%x $1'\\\"é"


@tag("own_database")
@needed(shutil.which("pg_config"), "PostgreSQL's server")
class AddressTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.cluster = cls.enterClassContext(Cluster(strict=True))
        passwords = dict.fromkeys(["HUBADMIN_OWNER_PASSWORD", "HUBADMIN_PASSWORD"], PASSWORD)
        run_the_script(cls.cluster.by_socket, "h", **passwords)
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.bundle = folder / "ca.pem"
        cls.bundle.write_bytes(cls.cluster.certificate.read_bytes())

    def ask(self, password: str, mode: str = "require", **more: str) -> str:
        """What a command says that asks who it is."""
        address = f"postgres://h_owner:{password}@localhost:{self.cluster.port}/h?sslmode={mode}"
        code = "from django.db import connection as c; k = c.cursor(); "
        code += "print(k.execute('SELECT current_user').fetchall())"
        return self.run_manage("shell", "--no-imports", "-c", code, address=address, **more)

    def run_manage(self, *arguments: str, address: str, **more: str) -> str:
        file = Path(self.enterContext(tempfile.TemporaryDirectory())) / "owner.env"
        # As README has it: in a file of settings.
        file.write_text(f"DATABASE_URL={address}\n")
        ended = subprocess.run(
            [sys.executable, settings.BASE_DIR / "manage.py", *arguments],
            env={"PATH": os.environ["PATH"], "ENV_FILE": str(file), "SECRET_KEY": "x"} | more,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return ended.stdout + ended.stderr

    def test_a_password_of_any_characters_percent_encoded(self) -> None:
        self.assertIn("h_owner", self.ask(quote(PASSWORD, safe="")))
        self.assertIn("password authentication failed", self.ask("another"))

    def test_one_that_is_not_encoded_is_told_without_showing_it(self) -> None:
        for password in ("s/x", "12/x", "s?x"):
            with self.subTest(password):
                said = self.run_manage("check", address=f"postgres://h:{password}@localhost:1/h")
                self.assertIn("In its user name and its password, write what", said)
                self.assertNotIn("Traceback", said)
                self.assertNotIn(password, said)

    def test_one_setting_has_a_ca_of_ones_own_believed(self) -> None:
        password = quote(PASSWORD, safe="")
        self.assertIn("h_owner", self.ask(password, "verify-full", CA_BUNDLE=str(self.bundle)))
        self.assertIn("root certificate", self.ask(password, "verify-full"))


class OptionTests(SimpleTestCase):
    def test_the_address_itself_has_the_last_word(self) -> None:
        address = "postgres://h/n?sslmode=verify-ca&sslrootcert=/own.pem"
        options = env.database_from(address, "/ca.pem")["OPTIONS"]
        self.assertEqual(options["sslrootcert"], "/own.pem")

    def test_without_a_wish_to_verify_nothing_is_added(self) -> None:
        options = env.database_from("postgres://h/n", "/ca.pem")["OPTIONS"]
        self.assertEqual(options, env.POSTGRESQL_OPTIONS)

    def test_it_says_how_long_to_wait_for_a_machine_that_is_gone(self) -> None:
        options = env.database_from("postgres://h/n?connect_timeout=2")["OPTIONS"]
        self.assertEqual(options, env.POSTGRESQL_OPTIONS | {"connect_timeout": 2})
