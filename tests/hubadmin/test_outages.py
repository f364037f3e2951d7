"""The database cannot be used: one page, that says whether something was sent, and one log line."""

import logging
import sqlite3
import unittest
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any
from unittest import mock

from django.db import Error as DBError
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models.signals import post_save
from django.db.transaction import TransactionManagementError
from django.http import HttpRequest
from django.test import SimpleTestCase, override_settings
from django.urls import path

from associations.models import AssociationRequest
from hubadmin.urls import handler400, handler403, handler404, handler500  # noqa: F401
from hubadmin.urls import urlpatterns as hubadmin_urls
from hubadmin.web import outages
from tests.hubadmin.sso.test_proxy_headers import ADA, SECRET
from tests.support import (
    LINK,
    LogTransactionTestCase,
    SandboxMixin,
    SignedInClient,
    database_away,
    person,
)

PAGES = ("/", "/requests/", "/bulk/", "/audit/", "/status/", "/nowhere", "/sign-in", "/no-access")


def doubled(request: HttpRequest) -> None:
    raise IntegrityError("twice")


urlpatterns = [*hubadmin_urls, path("doubled", doubled)]


class AwayTests(SandboxMixin, LogTransactionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.client = SignedInClient(person("admin"), raise_request_exception=False)

    @contextmanager
    def logged(self) -> Iterator[list[logging.LogRecord]]:
        """What is logged meanwhile, but for the lines of requests."""
        records = list[logging.LogRecord]()
        with self.assertLogs(level="INFO") as logs:
            yield records
        records += [each for each in logs.records if each.name != "hubadmin.request"]

    def assert_told(self, answer: Any, *, was_nothing_sent: bool = True) -> None:
        self.assertContains(answer, "database does not answer as it should", status_code=503)
        self.assertEqual(answer["Retry-After"], "30")
        self.assertIn("no-store", answer["Cache-Control"])
        says_so = "Nothing was sent." in answer.content.decode()
        self.assertEqual(says_so, was_nothing_sent)

    def test_every_page_says_so_with_one_line_that_blames_nothing_else(self) -> None:
        for address in PAGES:
            with self.subTest(address), self.logged() as records:
                with database_away():
                    answer = self.client.get(address)
                self.assert_told(answer)
                self.assertContains(answer, f'href="{address}"', status_code=503)
                self.assertIn(answer["X-Request-ID"], answer.content.decode())
            told = [(each.name, each.levelname, each.getMessage()) for each in records]
            self.assertEqual(
                told, [("hubadmin.web.outages", "ERROR", "the database cannot be used")]
            )
            self.assertEqual((vars(records[0])["path"], records[0].exc_info), (address, None))
        self.assertEqual(self.client.get("/").status_code, 200)

    def test_what_was_typed_is_on_the_page_and_nothing_was_sent(self) -> None:
        with database_away():
            answer = self.client.post("/", LINK | {"reason": "SUP-77"})
        self.assert_told(answer)
        self.assertContains(answer, "SUP-77", status_code=503)
        self.assertEqual((self.puts(), AssociationRequest.objects.count()), ([], 0))

    def test_a_part_of_a_page_is_a_sentence(self) -> None:
        with database_away():
            answer = self.client.post("/preview/", LINK, headers={"HX-Request": "true"})
        self.assert_told(answer)
        self.assertNotContains(answer, "<html", status_code=503)

    def test_once_the_entry_is_committed_it_never_says_that_nothing_was_sent(self) -> None:
        away = database_away()

        def leave(created: bool, **_: Any) -> None:
            transaction.on_commit(away.__enter__) if created else None

        post_save.connect(leave, sender=AssociationRequest)
        try:
            answer = self.client.post("/", LINK)
        finally:
            post_save.disconnect(leave, sender=AssociationRequest)
            away.__exit__(None, None, None)
        self.assertEqual(AssociationRequest.objects.count(), 1)
        self.assertNotContains(answer, "Nothing was sent.", status_code=answer.status_code)

    def test_who_commits_something_says_so_whatever_breaks_afterwards(self) -> None:
        with mock.patch("associations.linking.views.note_as_sent", side_effect=OperationalError):
            answer = self.client.post("/", LINK)
        self.assert_told(answer, was_nothing_sent=False)
        self.assertContains(answer, "your requests", status_code=503)
        self.assert_told_of_the_next()

    def assert_told_of_the_next(self) -> None:
        """The thread's next request has sent nothing, whatever the one before did."""
        with database_away():
            self.assert_told(self.client.post("/", LINK))

    def test_a_session_that_cannot_be_saved(self) -> None:
        with database_away():
            answer = self.client.post("/sign-out")
        self.assert_told(answer)

    @override_settings(SSO_MODE="header", SSO_HEADER_SECRET=SECRET)
    def test_where_a_proxy_says_who_it_is(self) -> None:
        with database_away(), self.logged() as records:
            self.assert_told(self.client.get("/requests/", headers=ADA))
        self.assertEqual({each.name for each in records}, {"hubadmin.web.outages"})

    def test_health_goes_on_and_readiness_does_not(self) -> None:
        with database_away():
            self.assertEqual(self.client.get("/healthz").status_code, 200)
            answer = self.client.get("/readyz")
        self.assertEqual((answer.status_code, answer.json()["database"]), (503, "unreachable"))

    @override_settings(ROOT_URLCONF="tests.hubadmin.test_outages")
    def test_an_error_of_ours_is_no_outage(self) -> None:
        answer = self.client.get("/doubled")
        self.assertContains(answer, "Something went wrong here", status_code=500)

    @unittest.skipUnless(connection.vendor == "postgresql", "PostgreSQL ends sessions")
    def test_sessions_that_postgresql_has_ended(self) -> None:
        """As a restart does, in the midst of a request."""

        def end(**_: Any) -> None:
            with suppress(DBError), connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

        with mock.patch("hubadmin.web.drafts.find", side_effect=lambda *_: end()):
            answer = self.client.get("/")
        connection.close()  # as the server does after a request, and the test client does not
        self.assert_told(answer)
        self.assertEqual(self.client.get("/").status_code, 200)

    @unittest.skipUnless(connection.vendor == "sqlite", "SQLite locks its file")
    def test_a_database_that_somebody_has_locked(self) -> None:
        connection.close()
        options = connection.settings_dict["OPTIONS"] | {"timeout": 0.1}
        name = connection.settings_dict["NAME"]
        with (
            mock.patch.dict(connection.settings_dict, OPTIONS=options),
            closing(sqlite3.connect(name, isolation_level=None)) as other,
        ):
            other.execute("BEGIN IMMEDIATE")
            told = self.client.post("/", LINK)
            signed_out = self.client.post("/sign-out")
            other.execute("ROLLBACK")
            connection.close()
        self.assertContains(told, "nothing was sent", status_code=503)
        self.assertEqual(self.puts(), [])
        self.assert_told(signed_out)


class CauseTests(SimpleTestCase):
    def test_only_what_the_database_itself_cannot_do(self) -> None:
        away = OperationalError("gone")
        try:
            try:
                raise away
            except OperationalError:
                raise RuntimeError  # noqa: B904 - as Django does when it saves a session
        except RuntimeError as error:
            self.assertIs(outages.cause_of(error), away)
        for other in (None, RuntimeError(), IntegrityError(), TransactionManagementError()):
            self.assertIsNone(outages.cause_of(other))
