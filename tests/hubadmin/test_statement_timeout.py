"""Who serves gives up on a query that takes too long; who migrates does not."""

import os
import subprocess
import sys
import unittest
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django.test import TestCase

from tests.hubadmin.test_settings import PRODUCTION

ASK = """
{first}
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SHOW statement_timeout")
    print(cursor.fetchone()[0])
"""


@unittest.skipUnless(connection.vendor == "postgresql", "SQLite has no statement timeout")
class StatementTimeoutTests(TestCase):
    def timeout(self, first: str) -> str:
        base, name = os.environ["TEST_DATABASE_URL"], connection.settings_dict["NAME"]
        database = urlsplit(base)._replace(path=f"/{name}").geturl()
        ended = subprocess.run(
            [sys.executable, "-c", ASK.format(first=first)],
            cwd=settings.BASE_DIR,
            env=os.environ | PRODUCTION | {"DATABASE_URL": database},
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout.strip()

    def test_the_server_has_one_and_commands_have_none(self) -> None:
        self.assertEqual(self.timeout("import hubadmin.gunicorn_conf"), "30s")
        self.assertEqual(self.timeout("import django; django.setup()"), "0")
