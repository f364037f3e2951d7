"""What many tests need: people, a sandbox, a browser, and honest skips."""

import json
import os
import shutil
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import requests
from django.conf import settings
from django.core.cache import cache
from django.db import Error as DBError
from django.db import connection, transaction
from django.db.models import Model
from django.test import Client, RequestFactory, TransactionTestCase, override_settings

from associations.audit.integrity import constraints, triggers
from associations.audit.recorder import ABANDONED_CLOSED
from associations.context_processors import CHANGED, CHANGED_SECONDS
from associations.gateway import call_limit, clients, rate_limiter
from associations.hubspot.client import Limits
from associations.models import CallSlot
from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox, index, portal
from hubadmin.demo.sandbox.merges import MERGED
from hubadmin.demo.sandbox.people import ARCHIVED
from hubadmin.models import User
from hubadmin.sso import sessions
from hubadmin.sso.users import provision
from tests.identity.processes import free_port

LINK = {"from_object_type": "contacts", "from_object_id": "501"} | {
    "to_object_type": "companies",
    "to_object_id": "902",
}
# Quick enough for a test, patient enough for a busy machine.
QUICK = Limits(connect=2, read=1, total=6, attempts=3, pause=0.02)


def needed(available: bool, what: str) -> Callable:
    """Skip with a reason where something is not installed; in CI that is a failure instead."""
    if available or os.environ.get("CI"):
        return lambda test: test
    return unittest.skip(f"{what} is not installed here")


def chromium_path(*, whole: bool = False) -> str | None:
    """The one that can have no window, if it is there, as it takes less than half of the work.

    It keeps no history: where that matters, the `whole` browser is wanted.
    """
    names = ["chromium", "chromium-browser", "google-chrome"]
    return next(
        filter(None, map(shutil.which, names if whole else ["chromium-headless-shell", *names])),
        None,
    )


def person(name: str = "support", group: str | None = None) -> User:
    """A signed-up person; the group defaults to the name."""
    return provision(
        issuer="tests",
        subject=name,
        email=f"{name}@example.com",
        name=name.title(),
        groups=[group or name],
    )


class SignedInClient(Client):
    """The test client of production: everything over https."""

    def __init__(self, user: User | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if user:
            self.sign_in(user)

    def sign_in(self, user: User) -> None:
        """Sign the person in as the provider's answer would."""
        request = RequestFactory().get("/")
        request.session = self.session
        sessions.start(request, user)
        request.session.save()
        self.cookies[settings.SESSION_COOKIE_NAME] = request.session.session_key

    def request(self, **request: Any) -> Any:
        return super().request(**request | {"wsgi.url_scheme": "https", "SERVER_PORT": "443"})


def security_events() -> list[dict[str, Any]]:
    """What the log has of security events, oldest first, as an admin is given it."""
    with override_settings(SSO_MODE="oidc", SSO_RECHECK_SECONDS=900):
        auditor = person("auditor", "admin")
        answer = SignedInClient(auditor).get("/audit/events.jsonl")
        if answer.status_code != 200:
            raise AssertionError(f"{answer.status_code} != 200: nothing tells of security events")
        lines = [json.loads(line) for line in answer.getvalue().splitlines()]
    return [each for each in lines[-2::-1] if each.get("user_id") != auditor.pk]


def know_of_no_changes() -> None:
    """As if the links that changed had just been counted, which an admin's page does by itself."""
    cache.set(CHANGED, 0, CHANGED_SECONDS)


def have_pages_close_abandoned() -> None:
    """As if it were a while since the last page did: the next one closes what was abandoned."""
    cache.delete(ABANDONED_CLOSED)


@contextmanager
def missing_table(model: type[Model]) -> Iterator[None]:
    """A database that really refuses: the model's table is away meanwhile."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO moved_away")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE moved_away RENAME TO {table}")


@contextmanager
def database_away() -> Iterator[None]:
    """A database that cannot be reached: nobody listens at its port, or its file is not there.

    Not within a transaction.
    """
    name, place = ("NAME", "/nowhere/hubadmin.sqlite3"), ("PORT", str(free_port()))
    key, elsewhere = name if connection.vendor == "sqlite" else place
    before = connection.settings_dict[key]
    connection.close()
    connection.settings_dict[key] = elsewhere
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict[key] = before


@contextmanager
def read_only_database() -> Iterator[None]:
    """A database that still answers but takes nothing, as when its disk is full."""
    sid = transaction.savepoint()
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA query_only = ON")
        else:
            cursor.execute("SET LOCAL transaction_read_only = on")
        try:
            yield
        finally:
            transaction.set_rollback(False)
            transaction.savepoint_rollback(sid)
            if connection.vendor == "sqlite":
                cursor.execute("PRAGMA query_only = OFF")


class LogTransactionTestCase(TransactionTestCase):
    """One that really commits, and so leaves entries behind: lifts what guards them to clear up."""

    def _fixture_teardown(self) -> None:
        """By DELETE: to truncate, PostgreSQL makes each table anew, and waits for the disk."""
        with triggers.lifted(), connection.cursor() as cursor:
            for table in connection.introspection.django_table_names(only_existing=True):
                cursor.execute(f'DELETE FROM "{table}"')
        constraints.restore(is_changed=False)  # which a test may have lifted


def warm_up(hubspot: str) -> None:
    """Have the sandbox at that address make its indexes, as HubSpot has them already."""
    for name in ("contacts", "companies", "deals", "tickets"):
        requests.post(
            f"{hubspot}/crm/v3/objects/{name}/search",
            json={"query": "nobody"},
            headers={"Authorization": f"Bearer {SANDBOX_TOKEN}"},
            timeout=30,
        ).raise_for_status()


def records_to_find(type_id: str) -> list[dict[str, str]]:
    """What the sandbox's search finds of a type: nothing archived, or merged into another."""
    gone = {*MERGED, *ARCHIVED}
    records = portal.records_of_type(type_id)
    return [each for each in records if (type_id, each["hs_object_id"]) not in gone]


def forget_looks() -> None:
    """Give everybody their looks, finds and downloads back: what is taken outlasts a test.

    So does what was learnt of HubSpot's limit of calls.
    """
    call_limit.forget_heard()
    table, first = CallSlot._meta.db_table, rate_limiter.FIRST_OF_SEARCHES
    sql = f"DELETE FROM {table} WHERE number >= %s"
    for _ in range(2):  # another test may have ended the connection
        with suppress(DBError):
            rate_limiter._connection.run(lambda wrapper: wrapper.cursor().execute(sql, [first]))
            break


class SandboxMixin:
    """A sandbox for the class, empty for each test, and settings that point at it."""

    limits = QUICK
    sandbox_version: str | None = None  # the only one that it has
    sandbox_search_limit: int | None = None  # searches per second; HubSpot's is 5

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        # Of the last class it would keep PostgreSQL from dropping the database of the tests.
        cls.addClassCleanup(rate_limiter.close)
        index.prepare()  # a busy machine may take longer for it than a search waits
        sandbox = Sandbox(version=cls.sandbox_version, search_limit=cls.sandbox_search_limit)
        cls.sandbox = cls.enterClassContext(sandbox)
        cls.enterClassContext(
            override_settings(
                HUBSPOT_API_BASE_URL=cls.sandbox.url, HUBSPOT_ACCESS_TOKEN=SANDBOX_TOKEN
            )
        )

    def setUp(self) -> None:
        super().setUp()
        self.sandbox.reset()
        cache.clear()
        if self.databases:  # else it is a test without
            forget_looks()
        for client in (clients.interactive, clients.looking, clients.searching):
            client.cache_clear()
            client().limits = self.limits

    def puts(self) -> list[str]:
        """The paths HubSpot was asked to PUT, as it received them."""
        return [request["path"] for request in self.sandbox.requests if request["method"] == "PUT"]
