"""README tells of each migration what an administrator has to know before it."""

import re

from django.conf import settings
from django.db.migrations.loader import MigrationLoader
from django.test import SimpleTestCase

README = settings.BASE_DIR / "hubadmin" / "README.md"
FIRST = "0011"  # the first one since 0.5
COLUMNS = 6


class TableTests(SimpleTestCase):
    def test_each_migration_since_05_has_its_line(self) -> None:
        text = README.read_text().partition("### Machine by machine")[2].partition("\n#")[0]
        rows = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in re.findall(r"^\| `[0-9]{4}` .+\|$", text, re.M)
        ]
        loader = MigrationLoader(None)
        names = [name[:4] for app, name in loader.disk_migrations if app == "associations"]
        wanted = sorted(each for each in names if each >= FIRST)
        self.assertEqual([row[0].strip("`") for row in rows], wanted)
        for row in rows:
            self.assertEqual((len(row), "" in row), (COLUMNS, False), row)

    def test_the_other_app_has_had_none(self) -> None:
        """One would want a line of its own, with its app before its number."""
        loader = MigrationLoader(None)
        names = [name for app, name in loader.disk_migrations if app == "hubadmin"]
        self.assertEqual(max(names), "0002_provider_sessions")
