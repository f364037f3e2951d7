"""The two roles of PostgreSQL: what serves can do its work, and no more."""

import re
import shutil
import tempfile
import time
import unittest
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
from django.db import IntegrityError, ProgrammingError, connection
from django.test import SimpleTestCase, override_settings
from django.utils import timezone
from django_q.brokers import get_broker

from associations.audit import recorder
from associations.audit.integrity import role_rights, triggers
from associations.audit.recorder import RequestMeta
from associations.bulk import services, tasks
from associations.bulk.worker import scheduler
from associations.models import (
    AssociationBatch,
    AssociationRequest,
    AuditExport,
    AuditSeal,
    BulkChunk,
    BulkKey,
    BulkRow,
    BulkRun,
    RecordNames,
    SecurityEvent,
    Worker,
)
from associations.status import doctor
from hubadmin.models import User
from hubadmin.web.doctor import Level
from tests.associations.audit.integrity.base import (
    ATTEMPT,
    BATCH,
    CHECK,
    ENTRY,
    EVENT,
    EXPORT,
    LONG_AGO,
    PRUNING,
    SEAL,
    LogMixin,
    on_postgresql,
    run,
    seal,
    sql,
)
from tests.associations.audit.integrity.processes import database_url, manage
from tests.associations.audit.integrity.serving import run_the_script
from tests.associations.linking.base import named_entry_of
from tests.support import LINK, SandboxMixin, SignedInClient, needed, person

TABLES = (ENTRY, ATTEMPT, CHECK, BATCH, SEAL, EXPORT, PRUNING, EVENT)


@unittest.skipUnless(on_postgresql(), "SQLite has no roles")
@needed(shutil.which("psql"), "psql")
class RolesTests(SandboxMixin, LogMixin, SimpleTestCase):
    databases = {"default"}
    PASSWORDS = {"HUBADMIN_OWNER_PASSWORD": "secret", "HUBADMIN_PASSWORD": "secret"}

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.name = f"{connection.settings_dict['NAME']}_roles"
        cls.owner = {"NAME": cls.name, "USER": f"{cls.name}_owner", "PASSWORD": "secret"}
        cls.serving = cls.owner | {"USER": cls.name}
        cls.addClassCleanup(cls.execute, database_url(), cls.away())
        cls.execute(database_url(), cls.away())
        # Twice each, by whoever is not sure: first by a superuser, after `migrate` by the owner.
        for _ in range(2):
            run_the_script(database_url(NAME="postgres"), cls.name, **cls.PASSWORDS)
        done = manage("migrate", DATABASE_URL=database_url(**cls.owner))
        if done.returncode:
            raise AssertionError(done.stderr)
        for _ in range(2):
            run_the_script(database_url(**cls.owner), cls.name)

    @classmethod
    def away(cls) -> list[str]:
        roles = cls.owner["USER"], cls.serving["USER"]
        return [
            f"DROP DATABASE IF EXISTS {cls.name} WITH (FORCE)",
            *(f"DROP ROLE IF EXISTS {role}" for role in roles),
        ]

    @staticmethod
    def execute(address: str, statements: list[str]) -> None:
        with psycopg.connect(address, autocommit=True) as database:
            for statement in filter(str.strip, statements):
                database.execute(statement)

    def setUp(self) -> None:
        self.enterContext(self.connected_as(self.serving))
        super().setUp()

    @contextmanager
    def connected_as(self, role: dict[str, str]) -> Iterator[None]:
        before = dict(connection.settings_dict)
        connection.close()
        connection.settings_dict.update(role)
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict.update(before)

    # --- what serving takes

    def test_it_is_the_serving_role_that_is_tried(self) -> None:
        self.assertEqual(sql("SELECT current_user"), [(self.name,)])

    def test_what_is_granted_besides_is_taken_back_and_a_later_table_needs_no_hand(self) -> None:
        with self.connected_as(self.owner):
            sql(f"GRANT UPDATE, DELETE ON {SEAL} TO {self.name}")
            sql("CREATE TABLE later (id int GENERATED ALWAYS AS IDENTITY, text text)")
            self.addCleanup(self.execute, database_url(**self.owner), ["DROP TABLE later"])
        sql("INSERT INTO later (text) VALUES ('x')")
        run_the_script(database_url(**self.owner), self.name)
        self.assert_refused(f"DELETE FROM {SEAL}")
        self.assert_refused("DELETE FROM later")

    def test_the_serving_role_cannot_run_the_script(self) -> None:
        with self.assertRaisesRegex(AssertionError, "must be member of role|permission denied"):
            run_the_script(database_url(**self.serving), self.name)

    def test_everything_that_people_do(self) -> None:
        client = SignedInClient(self.user)
        self.assertEqual(client.get("/readyz").status_code, 200)
        self.assertEqual(client.get("/").status_code, 200)
        answer = client.post("/", LINK | {"reason": "SUP-1"})
        entry = AssociationRequest.objects.latest("id")
        self.assertEqual((answer.status_code, entry.outcome), (302, "linked"))
        pages = (entry.get_absolute_url(), "/requests/", "/audit/", "/audit/figures/")
        for path in (*pages, "/audit/exports/", "/audit/integrity/", "/audit/events/"):
            self.assertEqual(client.get(path).status_code, 200, path)
        for kind in ("csv", "jsonl"):
            b"".join(client.get(f"/audit/export.{kind}").streaming_content)
            b"".join(client.get(f"/audit/events.{kind}").streaming_content)
        self.assertEqual({each.state for each in AuditExport.objects.all()}, {"complete"})
        client.post("/sign-out")
        self.assertEqual(client.get("/").status_code, 302)

    def test_the_doctor_knows_the_rights_of_the_readme(self) -> None:
        rights = role_rights.of_this_role()
        self.assertEqual(rights, role_rights.Rights(self.name, False, False))
        self.assertEqual([each.level for each in doctor._rights()], [Level.OK])
        changes = (
            "REVOKE UPDATE ON django_session FROM {}; GRANT UPDATE ON django_session TO {}",
            "REVOKE SELECT ON hubadmin_user FROM {}; GRANT SELECT ON hubadmin_user TO {}",
            "GRANT DELETE ON associations_auditseal TO {}; "
            "REVOKE DELETE ON associations_auditseal FROM {}",
            "GRANT UPDATE (reason) ON associations_associationrequest TO {}; "
            "REVOKE UPDATE (reason) ON associations_associationrequest FROM {}",
            "GRANT INSERT ON django_migrations TO {}; REVOKE INSERT ON django_migrations FROM {}",
        )
        told = (
            (["UPDATE on django_session"], []),
            (["SELECT on hubadmin_user"], []),
            ([], ["DELETE on associations_auditseal"]),
            ([], ["UPDATE (reason) on associations_associationrequest"]),
            ([], ["INSERT on django_migrations"]),
        )
        for change, (lacking, beyond) in zip(changes, told, strict=True):
            there, back = change.format(self.name, self.name).split("; ")
            self.execute(database_url(**self.owner), [there])
            rights = role_rights.of_this_role()
            self.execute(database_url(**self.owner), [back])
            self.assertEqual((rights.lacking, rights.beyond), (lacking, beyond), change)

    def test_no_migration_can_be_noted_as_done_that_is_still_to_come(self) -> None:
        self.assert_refused(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('associations', '0', now())"
        )

    def test_the_doctor_knows_the_owner_and_a_superuser(self) -> None:
        with self.connected_as(self.owner):
            (found,) = doctor._rights()
            self.assertIn("owns the tables", found.text)
        with self.connected_as({"USER": "postgres"}):
            (found,) = doctor._rights()
            self.assertIn("is a superuser", found.text)
        self.assertEqual(found.level, Level.WARNING)

    def test_what_the_triggers_let_be_filled_in_is_granted_and_nothing_else(self) -> None:
        columns = {field.column for field in AssociationRequest._meta.concrete_fields}
        told = sql(
            "SELECT column_name FROM information_schema.column_privileges WHERE grantee = "
            f"'{self.name}' AND privilege_type = 'UPDATE' AND table_name = "
            "'associations_associationrequest'"
        )
        self.assertEqual({name for (name,) in told}, columns - {*triggers.ASKED.split()})

    def test_a_link_that_is_looked_at_afterwards_and_undone(self) -> None:
        client, htmx = SignedInClient(self.user), {"HX-Request": "true"}
        page = client.post("/preview/", LINK, headers=htmx).text
        (token,) = re.findall(r'name="pair_seen" value="([^"]+)"', page)
        client.post("/", LINK | {"pair_seen": token})
        entry = AssociationRequest.objects.latest("id")
        self.assertTrue(entry.look_due)
        client.get(f"/latest/?linked={entry.pk}", headers=htmx)
        entry.refresh_from_db()
        self.assertEqual((entry.verified, entry.look_due), (True, None))
        client.post(f"/requests/{entry.pk}/undo/", {"reason": ""})
        undo = entry.undos.get()
        self.assertEqual((undo.outcome, bool(undo.links_before)), ("unlinked", True))

    def test_a_person_signs_in_again_under_another_name_and_is_locked_out(self) -> None:
        person("ada", "support")
        User.objects.filter(subject="ada").update(name="Ada L.")
        self.assertEqual(run("people", "--deactivate", "ada@example.com")[0], 0)
        self.assertFalse(User.objects.get(subject="ada").is_active)
        self.assertEqual(SecurityEvent.objects.latest("id").what, "deactivated")

    def test_what_was_seen_is_written_into_an_open_entry_and_checks_are_added(self) -> None:
        entry, seen = self.open_entry(), {"was_linked": False, "verified": True}
        seen |= {"verified_at": timezone.now(), "unverified_cause": ""}
        seen |= {"from_merged_into": "502", "to_merged_into": "9902"}
        AssociationRequest.objects.filter(pk=entry.pk).update(**seen, outcome="linked")
        self.check(entry, to_merged_into="9902")
        entry.refresh_from_db()
        self.assertEqual({name: getattr(entry, name) for name in seen}, seen)
        self.assertEqual(entry.checks.count(), 1)
        with self.assertRaisesRegex(IntegrityError, "a closed entry .* never changes"):
            AssociationRequest.objects.filter(pk=entry.pk).update(verified=False)

    def test_a_run_from_its_file_to_the_last_outcome_and_one_that_is_discarded(self) -> None:
        pairs = [(501, 901), (502, 901), *((1000001 + n, 2000001) for n in range(10)), (7, 901)]
        rows = "".join(f"contact,{one},company,{other}\n" for one, other in pairs)
        rows += "contact,ada@example.com,company,901\ncontact,x,company,1\n"
        gone = self.sandbox.create("contacts", {}, 0)
        file = f"from type,from id,to type,to id\n{rows}contact,{gone},company,901\n".encode()
        for way, ended in (("batch", "done"), ("single", "done"), ("batch", None)):
            run = services.create(
                user=self.user, meta=RequestMeta(), name="a.csv", parts=[file], way=way
            )
            self.work_until(run, "ready")
            if ended is None:
                services.discard(run=run)
                self.assertFalse(BulkRun.objects.filter(pk=run.pk).exists())
                continue
            self.assertEqual((run.keys.count(), run.rows_invalid), (1, 2))
            self.sandbox.archive("contacts", gone, lag=0)
            services.start(user=self.user, run=run, way=way, skip_linked=False)
            self.work_until(run, ended)
            outcomes = Counter(run.entries.values_list("outcome", flat=True))
            self.assertEqual(outcomes["rejected"], 1)
            self.assertEqual(outcomes["linked"], run.pairs - 1)
            self.sandbox.archive("contacts", gone, archived=False, lag=0)
        self.assertTrue(AssociationBatch.objects.exists())
        with override_settings(BULK_KEEP_DAYS=0):
            while scheduler.tidy():
                pass
        for model in (BulkRow, BulkKey, BulkChunk):
            self.assertFalse(model.objects.exists())

    def test_a_worker_hands_out_what_there_is_to_do(self) -> None:
        services.create(user=self.user, meta=RequestMeta(), name="a.csv", parts=[b"x"], way="batch")
        broker = get_broker()
        with self.assertNoLogs("associations.bulk", "ERROR"):
            scheduler.Scheduler(broker).tick()
        ((number, _),) = broker.dequeue()
        broker.acknowledge(number)
        self.assertEqual(broker.queue_size() + broker.lock_size(), 0)
        self.assertEqual(Worker.objects.alive().count(), 1)

    def work_until(self, run: BulkRun, state: str) -> None:
        deadline = time.monotonic() + 20
        while run.state != state:
            self.assertLess(time.monotonic(), deadline, run.state)
            tasks.work(run.pk)
            run.refresh_from_db()

    def test_what_a_crash_left_open_is_closed(self) -> None:
        entry = self.open_entry(sent_at=timezone.now() - timedelta(hours=1))
        recorder.close_abandoned()
        entry.refresh_from_db()
        self.assertEqual(entry.outcome, "unreachable")

    def test_the_log_is_sealed_and_verified(self) -> None:
        self.entry()
        self.assertEqual(run("seal_audit_log")[0], 0)
        self.assert_proven()
        self.assertEqual(run("clearsessions")[0], 0)

    # --- and nothing beyond that

    def assert_refused(self, statement: str) -> None:
        reason = "permission denied|must be owner|must be superuser"
        with self.subTest(statement), self.assertRaisesRegex(ProgrammingError, reason):
            sql(statement)

    def test_nothing_of_the_log_is_changed_or_removed(self) -> None:
        entry = self.entry()
        for table in TABLES:
            self.assert_refused(f"DELETE FROM {table}")
            self.assert_refused(f"TRUNCATE {table} CASCADE")
        for table in (
            ATTEMPT,
            CHECK,
            BATCH,
            SEAL,
            PRUNING,
            EVENT,
            "associations_auditverification",
        ):
            self.assert_refused(f"UPDATE {table} SET {'head' if table == SEAL else 'id'} = '1'")
        for column in triggers.ASKED.split():
            self.assert_refused(f"UPDATE {ENTRY} SET {column} = {column}")
        for column in ("id", "user_id", "user_name", "format", "query", "started_at"):
            self.assert_refused(f"UPDATE {EXPORT} SET {column} = {column}")
        with self.assertRaisesRegex(
            IntegrityError, "a closed entry of the audit log never changes"
        ):
            sql(f"UPDATE {ENTRY} SET error_text = 'x' WHERE id = {entry.pk}")

    def test_nothing_that_guards_it_is_taken_off(self) -> None:
        for trigger in triggers.expected("postgresql"):
            self.assert_refused(f"DROP TRIGGER {trigger.name} ON {trigger.table}")
            self.assert_refused(f"ALTER TABLE {trigger.table} DISABLE TRIGGER {trigger.name}")
        for table in TABLES:
            self.assert_refused(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
            self.assert_refused(f"DROP TABLE {table} CASCADE")
        self.assert_refused("SET session_replication_role = replica")
        empty = "RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$"
        self.assert_refused(f"CREATE OR REPLACE FUNCTION hubadmin_refuse() {empty}")
        self.assert_refused("DROP FUNCTION hubadmin_refuse CASCADE")
        self.assert_refused(f"SET ROLE {self.owner['USER']}")
        self.assertEqual(triggers.problems(), [])

    def test_nothing_is_put_beside_the_tables(self) -> None:
        self.assert_refused("CREATE TABLE public.of_ours (id int)")
        body = "LANGUAGE sql AS 'SELECT true'"
        self.assert_refused(f"CREATE FUNCTION public.f(varchar, varchar) RETURNS boolean {body}")
        said = manage("check", "--database", "default", DATABASE_URL=database_url(**self.owner))
        self.assertNotIn("may create in schema", said.stdout + said.stderr)

    def test_no_person_is_deleted(self) -> None:
        self.assert_refused("DELETE FROM hubadmin_user")
        self.assert_refused("UPDATE hubadmin_user SET subject = 'another'")

    def test_nobody_is_erased_but_by_the_owner(self) -> None:
        entry = named_entry_of(self.user, "Ada Byron", "Analytical Ltd", "ada@example.com")
        seal()
        arguments = "erase_person", "ada@example.com"
        code, said = run(*arguments)
        self.assertEqual(code, 1)
        self.assertRegex(said, "must be owner .*Are you the owner\\? Nothing was erased")
        self.assertEqual(RecordNames.objects.get(pk=entry.pk).from_name, "Ada Byron")
        self.assert_refused(f"UPDATE {RecordNames._meta.db_table} SET from_name = ''")
        with self.connected_as(self.owner):
            code, said = run(*arguments)
            self.assertEqual(code, 0, said)
        self.assertEqual(RecordNames.objects.get(pk=entry.pk).from_name, "")
        self.assert_proven()

    @needed(all(map(shutil.which, ("pg_dump", "pg_restore"))), "pg_dump, pg_restore")
    def test_a_backup_is_made_by_the_owner_alone_and_proven_by_whoever_makes_databases(
        self,
    ) -> None:
        self.entry(), seal()
        place = self.enterContext(tempfile.TemporaryDirectory())
        done = manage("backup", place, DATABASE_URL=database_url(**self.serving))
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn(f"The role {self.name} does not own the tables", done.stderr)
        done = manage("backup", place, DATABASE_URL=database_url(**self.owner))
        self.assertEqual(done.returncode, 0, done.stderr)
        checker = {"NAME": "postgres", "USER": f"{self.name}_check", "PASSWORD": "secret"}
        away = f"DROP ROLE IF EXISTS {checker['USER']}"
        self.addCleanup(self.execute, database_url(USER="postgres"), [away])
        create = f"CREATE ROLE {checker['USER']} LOGIN CREATEDB PASSWORD 'secret'"
        self.execute(database_url(USER="postgres"), [away, create])
        (folder,) = Path(place).iterdir()
        done = manage("check_backup", str(folder), DATABASE_URL=database_url(**checker))
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_nothing_is_pruned_but_by_the_owner(self) -> None:
        self.entry()
        seal()
        with self.at(LONG_AGO):
            self.entry(), self.entry()
        seal(at=LONG_AGO)
        file = Path(self.enterContext(tempfile.TemporaryDirectory())) / "archive.jsonl"
        arguments = "prune_audit_log", "--older-than", "30d", "--archive"
        before = AssociationRequest.objects.count()
        code, said = run(*arguments, str(file))
        self.assertEqual(code, 1)
        self.assertRegex(said, "The database refused: must be owner .*Are you the owner")
        self.assertEqual(AssociationRequest.objects.count(), before)
        self.assert_proven()
        with self.connected_as(self.owner):
            code, said = run(*arguments, f"{file}.2")
            self.assertEqual(code, 0, said)
        self.assertLess(AssociationRequest.objects.count(), before)
        self.assert_proven()
        self.assertGreater(AuditSeal.objects.first().number, 1)
