"""Rows that the code cannot read, made before the database refused them: an upgrade keeps them."""

import re
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.test import tag

from associations.audit.integrity import triggers
from associations.models import AssociationRequest
from tests.associations.audit.integrity.base import (
    ENTRY,
    LONG_AGO,
    as_owner,
    on_postgresql,
    seal,
    sql,
)
from tests.associations.migrating import APP, NEWEST, MigrationTestCase, migrate

_GRAPH = MigrationLoader(None).graph
[WITHOUT] = [name for app, name in _GRAPH.node_map[APP, "0009_readable_rows"].parents if app == APP]


@tag("long")
class UpgradeTests(MigrationTestCase):
    def upgraded(self) -> str:
        said = StringIO()
        call_command("migrate", APP, stdout=said, verbosity=1)
        return said.getvalue()

    def test_one_that_is_in_the_way_stays_and_is_named(self) -> None:
        good, bad = self.entry(reason="SUP-1"), self.entry(reason="SUP-2")
        seal()
        migrate(WITHOUT)
        with triggers.lifted():
            sql(f"UPDATE {ENTRY} SET created_at = '20000-01-01 00:00:00' WHERE id = {bad.pk}")
        said = self.upgraded()
        self.assertIn(f"Rows of {ENTRY} that hubadmin cannot read: {bad.pk}.", said)
        self.assertEqual(self.validated("associationrequest_readable"), not on_postgresql())
        self.assertTrue(self.validated("bulkrun_readable"))
        self.assert_guarded()
        self.assert_text_index_is_whole()
        self.assertEqual(self.found(reason="SUP-1"), 1)
        self.assert_refuses_more(good)
        # Once it is gone, the next one finds nothing that is in the way.
        with as_owner():
            sql(f"UPDATE {ENTRY} SET created_at = sent_at WHERE id = {bad.pk}")
        migrate()
        self.assertTrue(self.validated("associationrequest_readable"))

    def assert_refuses_more(self, entry: AssociationRequest) -> None:
        with triggers.lifted():
            for value in ("'infinity'", "'1999-12-31 00:00:00'"):
                with self.assertRaises(DatabaseError), transaction.atomic():
                    sql(f"UPDATE {ENTRY} SET created_at = {value} WHERE id = {entry.pk}")

    def validated(self, name: str) -> bool:
        if not on_postgresql():
            [(text,)] = sql("SELECT group_concat(sql) FROM sqlite_master WHERE type = 'table'")
            return name in text
        return sql(f"SELECT convalidated FROM pg_constraint WHERE conname = '{name}'")[0][0]

    def test_back_and_forward_nothing_is_lost(self) -> None:
        self.moment = LONG_AGO
        run = self.bulk_run()
        self.closed_by(self.batch(run), 2)
        self.sealed_log(2)
        before = self.everything(WITHOUT)
        migrate(WITHOUT)
        self.assertEqual(self.everything(WITHOUT), before)
        # Only those are amiss that have to do with names and looks, of which nothing was known.
        amiss = [
            name
            for name in triggers.problems()
            if not any(each in name for each in ("recordnames", "auditerasure", "audittimestamp"))
        ]
        amiss = [name.removeprefix("hubadmin_associationrequest_") for name in amiss]
        self.assertEqual(amiss, ["closed", "asked"])
        migrate(NEWEST)
        self.assertEqual(self.everything(WITHOUT), before)
        self.assert_guarded()
        self.assert_proven()

    def test_nobody_waits_while_postgresql_looks_at_what_is_there(self) -> None:
        """It takes the lock of a constraint for the moment of adding it, and looks without it."""
        if not on_postgresql():
            self.skipTest("SQLite makes the tables anew")
        migrate(WITHOUT)
        self.statements: list[str] = []
        with connection.execute_wrapper(self.note):
            migrate(NEWEST)
        own = [text for text in self.statements if "_readable" in text]
        added = [text for text in own if " ADD CONSTRAINT " in text]
        self.assertTrue(added)
        self.assertEqual([text for text in added if not text.endswith(" NOT VALID")], [])
        # Two are put on anew by a later migration; what stands in the end is looked at once.
        names = {re.search(r'ADD CONSTRAINT "?(\w+)', text)[1] for text in added}
        self.assertEqual(len([text for text in own if " VALIDATE " in text]), len(names))
        last = max(self.statements.index(text) for text in added)
        self.assertTrue(all(" VALIDATE " not in text for text in self.statements[:last]))

    def note(self, execute: Any, statement: Any, *more: Any) -> Any:
        self.statements.append(str(statement))
        return execute(statement, *more)
