"""Where everybody may create in schema public, as in PostgreSQL 14: what whoever serves plants."""

import unittest

from django.db import IntegrityError, transaction

from associations.audit.integrity import triggers
from tests.associations.audit.integrity.base import (
    ENTRY,
    LogTestCase,
    on_postgresql,
    run,
    settle,
    sql,
)
from tests.associations.audit.integrity.serving import ServingMixin, as_serving, serving_role

EVERYBODY = "GRANT CREATE ON SCHEMA public TO PUBLIC"
OPERATORS = {"=": "texteq", "<>": "textne"}


@unittest.skipUnless(on_postgresql(), "SQLite has no roles")
class PlantedTestCase(ServingMixin, LogTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.closed = self.entry()
        settle()
        sql(EVERYBODY)

    def plant(self, name: str, types: str = "varchar, varchar", returns: str = "false") -> None:
        """An operator that fits better than PostgreSQL's own, and notes who has called it."""
        one, other = types.split(", ")
        with as_serving():
            sql("CREATE TABLE IF NOT EXISTS called (who text)")
            sql("GRANT ALL ON called TO PUBLIC")
            body = f"BEGIN INSERT INTO called VALUES (current_user); RETURN {returns}; END"
            sql(
                f"CREATE FUNCTION planted_{OPERATORS[name]}({types}) RETURNS boolean "
                f"LANGUAGE plpgsql AS $${body}$$"
            )
            sql(
                f"CREATE OPERATOR {name} (LEFTARG = {one}, RIGHTARG = {other}, "
                f"FUNCTION = planted_{OPERATORS[name]})"
            )

    def callers(self) -> set[str]:
        return {who for (who,) in sql("SELECT who FROM called")}


class MigrateTests(PlantedTestCase):
    def told(self, command: str, *arguments: str) -> tuple[int, str]:
        """Run it as the command line does, where it is not told to look at nothing."""
        options = {} if command == "check" else {"skip_checks": False}
        return run(command, *arguments, **options)

    def test_nothing_that_was_planted_is_run_by_the_owner(self) -> None:
        self.plant("=")
        code, said = self.told("migrate")
        self.assertEqual(self.callers(), set())
        self.assertEqual(code, 1)
        self.assertIn("public.planted_texteq(character varying,character varying)", said)
        self.assertIn("public.=(character varying,character varying)", said)
        self.assertIn(f"of {serving_role()}", said)

    def test_nor_by_who_prunes(self) -> None:
        self.plant("=")
        code, said = run("prune_audit_log", "--older-than", "1d", "--dry-run")
        self.assertEqual((code, self.callers()), (1, set()))
        self.assertIn("planted_texteq", said)

    def test_an_overload_of_a_function_is_named_as_well(self) -> None:
        with as_serving():
            sql("CREATE FUNCTION upper(varchar) RETURNS text LANGUAGE sql AS 'SELECT 1::text'")
        code, said = self.told("migrate")
        self.assertEqual(code, 1)
        self.assertIn("public.upper(character varying)", said)

    def test_where_somebody_could_it_is_told_before_anybody_does(self) -> None:
        for grant, who in (
            (EVERYBODY, "PUBLIC"),
            (f"GRANT CREATE ON SCHEMA public TO {serving_role()}", serving_role()),
        ):
            with self.subTest(who):
                sql(grant)
                for command in (("migrate",), ("check", "--deploy", "--database", "default")):
                    _, said = self.told(*command)
                    self.assertIn("hubadmin.W002", said)
                    self.assertRegex(said, rf"\b{who}\b[^\n]* may create in schema public")
                self.assertEqual(
                    run("check", "--database", "default", "--fail-level=WARNING")[0], 1
                )

    def test_where_nobody_can_nothing_is_told(self) -> None:
        sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        for command in (("migrate",), ("check", "--database", "default")):
            code, said = self.told(*command)
            self.assertEqual(code, 0, said)
            self.assertNotIn("may create in schema", said)

    def test_the_owner_and_extensions_have_planted_nothing(self) -> None:
        sql("CREATE FUNCTION of_the_owner(varchar) RETURNS text LANGUAGE sql AS 'SELECT 1::text'")
        self.assertEqual(self.told("migrate")[0], 0)


class TriggerTests(PlantedTestCase):
    def assert_guarded(self) -> None:
        for value in ("linked", "sending"):
            with self.assertRaises(IntegrityError), transaction.atomic():
                sql(f"UPDATE {ENTRY} SET outcome = '{value}' WHERE id = {self.closed.pk}")

    def install_anew(self) -> None:
        """Whatever told of it was overheard."""
        triggers.remove()
        triggers.install()
        settle()

    def test_a_condition_asks_for_postgresqls_own_operator(self) -> None:
        for types in ("varchar, varchar", "varchar, text", "text, varchar"):
            with self.subTest(types), transaction.atomic():
                self.plant("<>", types)
                self.install_anew()
                self.assert_guarded()
                self.assertEqual(self.callers(), set())
                transaction.set_rollback(True)

    def test_the_function_of_somebody_else_does_not_count(self) -> None:
        triggers.remove()
        sql("DROP FUNCTION hubadmin_refuse()")
        with as_serving():
            sql(
                "CREATE FUNCTION hubadmin_refuse() RETURNS trigger LANGUAGE plpgsql AS "
                f"$${triggers._REFUSE_BODY}$$"
            )
        code, said = run("migrate", skip_checks=False)
        self.assertEqual(code, 1)
        self.assertIn("public.hubadmin_refuse()", said)
        triggers.install()
        names = [each.name for each in triggers.expected("postgresql")]
        self.assertEqual(triggers.problems(), names)
        sql("ALTER FUNCTION hubadmin_refuse() OWNER TO CURRENT_USER")
        self.assertEqual(triggers.problems(), [])

    def test_the_function_finds_nothing_but_postgresqls_own(self) -> None:
        ((path,),) = sql("SELECT proconfig FROM pg_proc WHERE proname = 'hubadmin_refuse'")
        self.assertEqual(path, ["search_path=pg_catalog, pg_temp"])
