"""What somebody has put beside hubadmin's own triggers: found, and told to everybody who asks."""

from django.db import connection

from associations.audit.integrity.strangers import find_strangers
from associations.gateway import rate_limiter
from hubadmin.web import readiness
from tests.associations.audit.integrity.base import (
    BATCH,
    ENTRY,
    SEAL,
    LogTestCase,
    on_postgresql,
    run,
    sql,
)
from tests.support import SignedInClient

NOTHING = "RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$"


class StrangerTests(LogTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.sealed_log(1)
        self.addCleanup(readiness.forget)
        self.addCleanup(rate_limiter.close)  # the status page has asked it
        readiness.forget()

    def make_trigger(self, table: str, name: str = "kept_too") -> None:
        if on_postgresql():
            sql(f"CREATE FUNCTION nothing() {NOTHING}")
            act = "FOR EACH ROW EXECUTE FUNCTION nothing()"
        else:
            act = "BEGIN SELECT RAISE(IGNORE); END"
        sql(f"CREATE TRIGGER {name} BEFORE INSERT ON {table} {act}")

    def assert_told(self, name: str) -> None:
        self.assertEqual(find_strangers(), [name])
        answer = self.client.get("/readyz")
        self.assertEqual((answer.status_code, answer.json()["strangers"]), (200, [name]))
        code, said = run("verify_audit_log")
        self.assertEqual(code, 1)
        self.assertIn(f"Beside hubadmin's own there act on the log: {name}.", said)
        admin = SignedInClient(self.user)
        for page in ("/audit/integrity/", "/status/"):
            self.assertContains(admin.get(page), name)

    def test_there_are_none(self) -> None:
        self.assertEqual(find_strangers(), [])
        self.assertEqual(self.client.get("/readyz").json()["status"], "ok")

    def test_a_trigger(self) -> None:
        self.make_trigger(BATCH)
        self.assert_told(f"trigger kept_too on {BATCH}")

    def test_one_that_is_called_as_if_it_was_hubadmins(self) -> None:
        self.make_trigger(SEAL, "hubadmin_auditseal_more")
        self.assertEqual(find_strangers(), [f"trigger hubadmin_auditseal_more on {SEAL}"])

    def test_one_of_another_table_is_nobodys_concern(self) -> None:
        self.make_trigger("associations_worker")
        self.assertEqual(find_strangers(), [])

    def test_one_that_lets_no_seal_be_added(self) -> None:
        self.entry()
        act = "BEGIN SELECT RAISE(ABORT, 'no more'); END"
        if on_postgresql():
            body = "$$BEGIN RAISE EXCEPTION 'no more'; END$$"
            sql(f"CREATE FUNCTION no_more() RETURNS trigger LANGUAGE plpgsql AS {body}")
            act = "FOR EACH ROW EXECUTE FUNCTION no_more()"
        sql(f"CREATE TRIGGER kept_out BEFORE INSERT ON {SEAL} {act}")
        code, said = run("seal_audit_log")
        self.assertEqual(code, 1)
        self.assertRegex(said, "The database refused: .*no more")
        code, said = run("verify_audit_log")
        self.assertEqual(code, 1)
        self.assertIn(f"trigger kept_out on {SEAL}", said)

    def test_a_rule_and_row_security(self) -> None:
        if connection.vendor != "postgresql":
            self.skipTest("SQLite has neither")
        sql(f"CREATE RULE lost AS ON INSERT TO {BATCH} DO INSTEAD NOTHING")
        sql(f"ALTER TABLE {ENTRY} ENABLE ROW LEVEL SECURITY")
        self.assertEqual(find_strangers(), [f"row security on {ENTRY}", f"rule lost on {BATCH}"])
