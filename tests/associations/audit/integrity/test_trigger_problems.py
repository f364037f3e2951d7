"""What is missing, switched off or changed of the triggers: found, told, and put right again."""

import unittest
from unittest import mock

from django.db import connection
from django.test import skipUnlessDBFeature, tag

from associations.audit import recorder
from associations.audit.integrity import triggers
from associations.audit.recorder import NOWHERE
from associations.hubspot.answers import Answer
from associations.hubspot.outcomes import Cause
from tests.associations.audit.integrity.base import (
    ENTRY,
    SEAL,
    LogTestCase,
    on_postgresql,
    run,
    sql,
    undone,
)
from tests.support import LINK

CLOSED = "hubadmin_associationrequest_closed"
EMPTY_FUNCTION = "RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$"


def installed() -> list[tuple]:
    """The triggers as the database knows them: a trigger made anew has another number."""
    if on_postgresql():
        return sql(
            "SELECT oid, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"
        )
    return sql("SELECT rowid, name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY 1")


class ProblemTestCase(LogTestCase):
    expected = triggers.expected(connection.vendor)
    names = [trigger.name for trigger in expected]

    def assert_named(self, *names: str) -> None:
        """Everybody who asks about the triggers is told of these, and of no other."""
        self.assertEqual(triggers.problems(), [*names])
        answer = self.client.get("/readyz")
        self.assertEqual((answer.status_code, answer.json()["triggers_missing"]), (503, [*names]))
        code, said = run("verify_audit_log")
        self.assertEqual(code, 1, said)
        self.assertIn(f"These triggers are missing or changed: {', '.join(names)}.", said)

    def assert_installed_again(self) -> None:
        triggers.install()
        self.assertEqual(triggers.problems(), [])
        self.assertEqual(self.client.get("/readyz").status_code, 200)


@tag("long")
class ProblemTests(ProblemTestCase):
    def test_a_database_as_it_should_be_has_none(self) -> None:
        self.assertEqual(triggers.problems(), [])
        self.assertEqual(self.client.get("/readyz").json()["triggers"], "ok")

    def test_installing_twice_changes_nothing(self) -> None:
        before = installed()
        triggers.install()
        self.assertEqual(installed(), before)

    def test_each_trigger_that_was_dropped_is_named_and_comes_back(self) -> None:
        for trigger in self.expected:
            with self.subTest(trigger.name), undone():
                sql(trigger.drop)
                self.assert_named(trigger.name)
                self.assert_installed_again()

    def test_several_are_named_together(self) -> None:
        for trigger in self.expected[:3]:
            sql(trigger.drop)
        self.assert_named(*self.names[:3])

    def test_of_another_name_it_does_not_count(self) -> None:
        trigger = next(trigger for trigger in self.expected if trigger.name == CLOSED)
        sql(trigger.drop)
        for statement in trigger.sql.replace(CLOSED, f"{CLOSED}_2").split(
            ";" if on_postgresql() else "\0"
        ):
            sql(statement)
        self.assert_named(CLOSED)

    def test_what_an_earlier_version_left_is_taken_off_with_the_others(self) -> None:
        trigger = next(trigger for trigger in self.expected if trigger.name == CLOSED)
        sql(trigger.sql.replace(CLOSED, "hubadmin_of_long_ago").split("; ALTER")[0])
        triggers.remove()
        self.assertEqual(installed(), [])
        self.assert_named(*self.names)


@unittest.skipIf(on_postgresql(), "on PostgreSQL an empty trigger looks different")
@tag("long")
class SQLiteProblemTests(ProblemTestCase):
    def test_an_empty_one_of_the_same_name_is_named(self) -> None:
        for trigger in self.expected:
            with self.subTest(trigger.name), undone():
                sql(trigger.drop)
                event = f"BEFORE DELETE ON {trigger.table}"
                sql(f"CREATE TRIGGER {trigger.name} {event} BEGIN SELECT 1; END")
                self.assert_named(trigger.name)
                self.assert_installed_again()

    def test_one_that_never_fires_is_named(self) -> None:
        trigger = next(trigger for trigger in self.expected if trigger.name == CLOSED)
        sql(trigger.drop)
        sql(trigger.sql.replace("WHEN OLD.outcome", "WHEN 0 AND OLD.outcome"))
        self.assert_named(CLOSED)

    def test_one_that_watches_another_table_is_named(self) -> None:
        sql(f"CREATE TABLE decoy AS SELECT * FROM {ENTRY}")
        trigger = next(trigger for trigger in self.expected if trigger.name == CLOSED)
        sql(trigger.drop)
        sql(trigger.sql.replace(ENTRY, "decoy"))
        self.assert_named(CLOSED)


@skipUnlessDBFeature("has_select_for_update")
class PostgreSQLProblemTests(ProblemTestCase):
    def test_one_that_does_not_always_fire_is_named(self) -> None:
        for trigger in self.expected:
            for mode in ("DISABLE", "ENABLE", "ENABLE REPLICA"):
                with self.subTest(trigger.name, mode=mode), undone():
                    sql(f"ALTER TABLE {trigger.table} {mode} TRIGGER {trigger.name}")
                    self.assert_named(trigger.name)
                    self.assert_installed_again()

    def test_all_of_a_table_switched_off_are_named(self) -> None:
        sql(f"ALTER TABLE {SEAL} DISABLE TRIGGER ALL")
        self.assert_named(*(t.name for t in self.expected if t.table == SEAL))

    def test_one_that_calls_another_function_is_named(self) -> None:
        sql(f"CREATE FUNCTION decoy() {EMPTY_FUNCTION}")
        self.replace("FOR EACH ROW EXECUTE FUNCTION decoy()")
        self.assert_named(CLOSED)
        self.assert_installed_again()

    def test_one_that_never_fires_is_named(self) -> None:
        self.replace("FOR EACH ROW WHEN (false) EXECUTE FUNCTION hubadmin_refuse('no')")
        self.assert_named(CLOSED)
        self.assert_installed_again()

    def test_one_that_watches_another_table_is_named(self) -> None:
        trigger = next(trigger for trigger in self.expected if trigger.name == CLOSED)
        sql(f"CREATE TABLE decoy (LIKE {ENTRY})")
        sql(trigger.drop)
        for statement in trigger.sql.replace(ENTRY, "decoy").split("; "):
            sql(statement)
        self.assert_named(CLOSED)

    def test_all_that_call_a_function_that_was_changed_are_named(self) -> None:
        sql(f"CREATE OR REPLACE FUNCTION hubadmin_refuse() {EMPTY_FUNCTION}")
        self.assert_named(*self.names)
        self.assert_installed_again()

    def test_the_table_in_another_schema_is_no_concern(self) -> None:
        sql("CREATE SCHEMA elsewhere")
        sql(f"CREATE TABLE elsewhere.{ENTRY} (LIKE {ENTRY})")
        self.assertEqual(triggers.problems(), [])

    def replace(self, by: str) -> None:
        """Put another in the place of the trigger, which keeps all that is known of that one."""
        sql(f"CREATE OR REPLACE TRIGGER {CLOSED} BEFORE UPDATE ON {ENTRY} {by}")
        sql(f"ALTER TABLE {ENTRY} ENABLE ALWAYS TRIGGER {CLOSED}")


class LaterVersionTests(ProblemTestCase):
    """A server of this version, while a later one has the database already."""

    ASKED_GUARD = "hubadmin_associationrequest_asked"

    def setUp(self) -> None:
        super().setUp()
        sql(f"ALTER TABLE {ENTRY} ADD COLUMN asked_later varchar(20) DEFAULT '' NOT NULL")

    def guarded_by(self, asked: str) -> None:
        """Have a version install its triggers that guards these columns."""
        with mock.patch.object(triggers, "ASKED", asked):
            trigger = next(
                each
                for each in triggers.expected(connection.vendor)
                if each.name == self.ASKED_GUARD
            )
            sql(trigger.drop)
            triggers.install()
            self.assertEqual(triggers.problems(), [])

    def test_a_column_and_a_trigger_that_it_does_not_know_are_no_reason_to_stop(self) -> None:
        later = "hubadmin_associationrequest_later"
        trigger = next(each for each in self.expected if each.name == CLOSED)
        for statement in trigger.sql.replace(CLOSED, later).split(
            "; " if on_postgresql() else "\0"
        ):
            sql(statement)
        self.guarded_by(f"{triggers.ASKED} asked_later")
        self.assertEqual(triggers.problems(), [])
        self.assertEqual(self.client.get("/readyz").status_code, 200)
        before = installed()
        triggers.install()
        self.assertEqual(installed(), before)
        entry, _ = recorder.open_entry(user=self.user, meta=NOWHERE, reason="", **LINK)
        recorder.close_entry(entry, Answer(Cause.CONFIRMED))
        self.assertEqual(entry.outcome, "linked")

    def test_what_it_knows_has_to_be_guarded_as_before(self) -> None:
        for asked in (
            triggers.ASKED.replace(" reason", ""),
            triggers.ASKED.replace(" reason", " asked_later"),
            f"{triggers.ASKED} outcome",  # it could close nothing any more
        ):
            with self.subTest(asked), undone():
                self.guarded_by(asked)
                self.assert_named(self.ASKED_GUARD)

    def test_whatever_else_it_guards_it_has_to_refuse(self) -> None:
        found = next(each for each in self.expected if each.name == self.ASKED_GUARD)
        more = found.sql.split(";" if on_postgresql() else "\0")[0]
        more = more.replace("undoes_id ON", "undoes_id, asked_later ON")
        self.assertIn("asked_later", more)
        sql(found.drop)
        if on_postgresql():
            sql("CREATE FUNCTION no_refusal() " + EMPTY_FUNCTION)
            sql(more.replace("hubadmin_refuse", "no_refusal"))
        else:
            sql(more.replace("RAISE(ABORT, 'what an entry asked for never changes')", "1"))
        self.assert_named(self.ASKED_GUARD)
