"""Whoever may no longer act, no longer acts: `python -m tests.faults.leaving --trials 500`.

People leave at a random moment of what they do, several at once, on the real server with workers
and HubSpot's stand-in: deactivated, without a role, or with their session ended. Counted is what
reaches HubSpot about their records, and what they get of a file, more than five seconds later. Exit
code 1 if that is anything. TEST_DATABASE_URL chooses the database.
"""

import argparse
import os
import random
import re
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from io import StringIO
from typing import Any
from unittest import mock

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

import requests
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory
from django.test.runner import DiscoverRunner
from django.utils import timezone
from urllib3.exceptions import ProtocolError

from associations.gateway import rate_limiter
from associations.models import AssociationRequest, BulkRun
from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox
from hubadmin.demo.sandbox import connection as sandbox_connection
from hubadmin.models import User
from hubadmin.sso import sessions
from hubadmin.sso.users import provision
from hubadmin.web.sessions import SessionStore
from tests.faults.bulk_stack import Stack, patiently
from tests.identity.forgery import sign
from tests.identity.hostile import HostileProvider

GRACE = 5.0  # seconds in which a call that was under way may end, and one more may leave
WATCHED = 16.0  # seconds after leaving
AT_ONCE = 20
PROVIDER, CLIENT_ID = HostileProvider(), "hubadmin"
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
FIRST_CONTACT, FIRST_COMPANY, RECORDS = 1_000_001, 2_000_001, 100  # of each person
ROWS = 90
EXPORTED = 3_000  # entries that stand in the log for those who take a copy of it
BUSY = {"method": "POST", "path": "/batch/associate/default", "times": None, "status": 429}
BUSY |= {"headers": {"Retry-After": "2"}, "probability": 0.6}
HEADERS = {"Host": "localhost", "Referer": "https://localhost/", "X-Forwarded-Proto": "https"}


class Here(Stack):
    """With HubSpot's stand-in in this process, so that what reaches it can be looked at whole."""

    def __init__(self, hubspot: str) -> None:
        super().__init__(
            SECRET_KEY=settings.SECRET_KEY,
            SSO_MODE="oidc",
            SSO_ISSUER=PROVIDER.issuer,
            SSO_CLIENT_ID=CLIENT_ID,
            SSO_CLIENT_SECRET="unused",
            SSO_SIGN_OUT_URL="/sign-in",
            SSO_HEADER_SECRET="",
            SSO_RECHECK_SECONDS="28800",  # nothing else shall end a sign-in
            HUBSPOT_ACCESS_TOKEN=SANDBOX_TOKEN,
            WEB_THREADS=str(8 * AT_ONCE),  # a quarter of them for downloads
            SUBMITS_PER_PERSON_PER_MINUTE="0",
        )
        self._hubspot = hubspot

    def start_hubspot(self) -> str:
        return self._hubspot


@dataclass
class Calls:
    """What has reached HubSpot, when, and with which ids."""

    seen: list[tuple[float, set[int]]] = field(default_factory=list)

    def note(self, method: str, target: str, token: str, body: bytes) -> Any:
        ids = re.findall(r"\b1\d{6}\b", target + body.decode())
        self.seen.append((time.time(), set(map(int, ids))))
        return _Call(method, target, token, body)

    def late(self, person: "Person") -> int:
        ids = set(range(person.first, person.first + RECORDS))
        return sum(at > person.left_at + GRACE and bool(ids & about) for at, about in [*self.seen])


_Call = sandbox_connection.Call


class Person:
    """Somebody with a session, records of their own, and a moment at which they leave."""

    only_signs_out = False

    def __init__(self, stack: Stack, number: int, chance: random.Random, role: str) -> None:
        self.first, self.chance = FIRST_CONTACT + number * RECORDS, chance
        self.address, self.left_at = f"http://{stack.bind}", float("inf")
        self.user = self.told_groups(number, role)
        self.key = self.signed_in()

    def told_groups(self, number: int, *groups: str) -> User:
        self.subject = f"leaver-{number}"
        return provision(
            issuer=PROVIDER.issuer,
            subject=self.subject,
            email=f"{self.subject}@example.com",
            name=self.subject,
            groups=groups,
        )

    def signed_in(self) -> str:
        request = RequestFactory().get("/")
        request.session = SessionStore()
        sessions.start(request, self.user)
        request.session.save()
        return request.session.session_key

    # --- by HTTP ----------------------------------------------------------------------------------

    def get(self, path: str, **options: Any) -> requests.Response:
        cookies = f"__Host-sessionid={self.key}"
        return requests.get(
            self.address + path, headers=HEADERS | {"Cookie": cookies}, timeout=60, **options
        )

    def form(self, path: str) -> tuple[dict[str, str], dict[str, str]]:
        """The headers and the hidden fields with which a form of that page is sent."""
        page = self.get(path)
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        cookies = [f"{each.name}={each.value}" for each in page.cookies]
        cookie = "; ".join([f"__Host-sessionid={self.key}", *cookies])
        return HEADERS | {"Cookie": cookie}, hidden

    def post(self, path: str, page: str = "/", **fields: str) -> requests.Response:
        headers, hidden = self.form(page)
        return requests.post(
            self.address + path,
            data=hidden | fields,
            headers=headers,
            timeout=90,
            allow_redirects=False,
        )

    # --- what they do: each calls `leave` once, at a moment of its own --------------------------

    def in_time(self, leave: Callable[[], None], longest: float) -> threading.Thread:
        def later() -> None:
            time.sleep(self.chance.uniform(0, longest))
            leave()
            connection.close()

        thread = threading.Thread(target=later)
        thread.start()
        return thread

    def submit(self, stack: Here, hubspot: Sandbox, leave: Callable[[], None]) -> int:
        path = f"/contacts/{self.first}/"
        if self.chance.random() < 0.5:
            wait = str(self.chance.randint(2, 8))
            hubspot.fault(path=path, times=2, status=429, headers={"Retry-After": wait})
        else:
            hubspot.fault(path=path, times=2, status=503, delay=self.chance.uniform(2, 8))
        ends = {"from_object_type": "Contact", "from_object_id": str(self.first)}
        ends |= {"to_object_type": "Company", "to_object_id": str(FIRST_COMPANY)}
        leaving = self.in_time(leave, 6)
        self.post("/", **ends)
        leaving.join()
        return 0

    def upload(self, stack: Here, hubspot: Sandbox, leave: Callable[[], None]) -> int:
        """The body comes slowly; who it is, is asked once it is there.

        Whoever only signs out does so before: of what they had uploaded, the dry run goes on.
        """
        headers, hidden = self.form("/bulk/")
        fields = hidden | {"rows": self.rows()}
        request = requests.Request("POST", f"{self.address}/bulk/", headers=headers, data=fields)
        ready = request.prepare()
        ready.headers["Connection"] = "close"
        head = "\r\n".join(f"{name}: {value}" for name, value in ready.headers.items())
        sent = f"POST /bulk/ HTTP/1.1\r\n{head}\r\n\r\n{ready.body}".encode()
        leaving = self.in_time(leave, 6)
        host, port = stack.bind.split(":")
        with socket.create_connection((host, int(port)), timeout=60) as line:
            parts, seconds = 12, self.chance.uniform(3, 14)
            size = len(sent) // parts + 1
            for start in range(0, len(sent), size):
                if self.only_signs_out and start + size >= len(sent):
                    leaving.join()
                    time.sleep(self.chance.uniform(0, 9))
                line.sendall(sent[start : start + size])
                time.sleep(seconds / parts)
            answer = line.recv(1000)
        leaving.join()
        # To the run, or to the sign-in; whoever has no role is told so. Of what strangers send the
        # server keeps some and shows the rest, and it waits for none for ever.
        self.user.refresh_from_db()
        right = [b" 302 ", b" 401 ", b" 408 ", *([] if self.user.role else [b" 403 "])]
        if not any(status in answer.partition(b"\r\n")[0] for status in right):
            raise AssertionError(f"{self.subject}: {answer[:200]!r}")
        return 0

    def run(self, way: str, leave: Callable[[], None]) -> int:
        self.post("/bulk/", "/bulk/", rows=self.rows())
        ready = {"user": self.user, "state": "ready"}
        deadline = time.monotonic() + 60
        while not (run := patiently(lambda: BulkRun.objects.filter(**ready).first())):
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.subject}: no run is ready")
            time.sleep(0.2)
        self.post(f"/bulk/{run.pk}/start/", f"/bulk/{run.pk}/", way=way)
        self.in_time(leave, 6).join()
        return 0

    def run_by_batch(self, stack: Here, hubspot: Sandbox, leave: Callable[[], None]) -> int:
        return self.run("batch", leave)

    def run_by_single_calls(self, stack: Here, hubspot: Sandbox, leave: Callable[[], None]) -> int:
        hubspot.fault(path=f"/contacts/{self.first // 100}", times=ROWS, delay=0.5)
        return self.run("single", leave)

    def export(self, stack: Here, hubspot: Sandbox, leave: Callable[[], None]) -> int:
        """Read slowly; return how many bytes still came."""
        late = 0
        leaving = self.in_time(leave, 3)
        with self.get("/audit/export.jsonl", stream=True) as answer:
            if answer.status_code == 503:
                raise AssertionError(f"{self.subject}: no thread was left for the export")
            with suppress(ProtocolError):  # broken off, as no part shall pass for the whole
                while part := answer.raw.read(2048):
                    late += len(part) if time.time() > self.left_at + GRACE else 0
                    if time.time() > self.left_at + WATCHED:
                        break
                    time.sleep(0.02)
        leaving.join()
        return late

    def rows(self) -> str:
        pairs = (f"contact {self.first + n},company {FIRST_COMPANY + n}" for n in range(ROWS))
        return "\n".join(["from id,to id", *pairs])

    # --- how they leave ---------------------------------------------------------------------------

    def deactivated(self) -> None:
        call_command("people", deactivate=str(self.user.pk), stdout=StringIO())

    def group_removed(self) -> None:
        self.told_groups(int(self.subject.rpartition("-")[2]))

    def role_lost(self) -> None:
        User.objects.filter(pk=self.user.pk).update(role="")

    def signed_out(self) -> None:
        self.post("/sign-out", "/requests/")

    def session_ended(self) -> None:
        Session.objects.filter(pk=self.key).delete()

    def back_channel_logout(self) -> None:
        """The provider's server tells that they have signed out there."""
        now = int(time.time())
        claims = {"iss": PROVIDER.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 120}
        claims |= {"jti": self.key, "sub": self.subject, "events": {LOGOUT: {}}}
        address, token = f"{self.address}/sign-out/back-channel", {"logout_token": sign(claims)}
        requests.post(address, data=token, headers=HEADERS, timeout=60).raise_for_status()


LOST = (Person.deactivated, Person.group_removed, Person.role_lost)
ENDED = (
    Person.signed_out,
    Person.session_ended,
    Person.back_channel_logout,
)  # of these a run goes on: that is its promise
DOING: dict[Any, tuple[Any, ...]] = {
    Person.submit: LOST + ENDED,
    Person.upload: LOST + ENDED,
    Person.run_by_batch: LOST,
    Person.run_by_single_calls: LOST,
    Person.export: LOST + ENDED,
}
KINDS = [(doing, leaving) for doing, ways in DOING.items() for leaving in ways]


@dataclass
class Trial:
    number: int
    doing: str
    leaving: str
    calls: int = 0
    bytes: int = 0
    fault: str = ""


def play(number: int, seed: int, stack: Here, hubspot: Sandbox, calls: Calls) -> Trial:
    doing, leaving = KINDS[number % len(KINDS)]
    trial = Trial(number, doing.__name__, leaving.__name__)
    try:
        role = "admin" if doing is Person.export else "support"
        person = Person(stack, number, random.Random(seed * 100_003 + number), role)

        person.only_signs_out = leaving in ENDED

        def leave() -> None:
            patiently(lambda: leaving(person))
            person.left_at = time.time()

        trial.bytes = doing(person, stack, hubspot, leave)
        time.sleep(max(0, person.left_at + WATCHED - time.time()))
        trial.calls = calls.late(person)
    except (AssertionError, OSError) as error:
        trial.fault = repr(error)[:200]
    finally:
        connection.close()
    return trial


def fill_the_log() -> None:
    user = provision(issuer="x", subject="x", email="", name="Somebody", groups=["support"])
    ends = {"from_object_type": "contacts", "from_object_id": "501"}
    ends |= {"to_object_type": "companies", "to_object_id": "902", "user_name": user.name}
    fields = ends | {"outcome": "linked", "cause": "confirmed", "api_version": "v4"}
    at = dict.fromkeys(("created_at", "sent_at", "finished_at"), timezone.now())
    AssociationRequest.objects.bulk_create(
        AssociationRequest(user=user, reason=f"SUP-{n}", **fields, **at) for n in range(EXPORTED)
    )


def tell(trials: list[Trial]) -> bool:
    print(f"{'while':<22}{'leaving':<16}{'trials':>7}{'late calls':>12}{'late bytes':>12}")
    groups: dict[tuple[str, str], Counter[str]] = {}
    for trial in trials:
        group = groups.setdefault((trial.doing, trial.leaving), Counter())
        group.update(trials=1, calls=trial.calls, bytes=trial.bytes)
    for (doing, leaving), sums in sorted(groups.items()):
        row = f"{sums['trials']:>7}{sums['calls']:>12}{sums['bytes']:>12}"
        print(f"{doing:<22}{leaving:<16}{row}")
    faults = [f"trial {trial.number}: {trial.fault}" for trial in trials if trial.fault]
    print(*faults[:20], sep="\n")
    calls, late = sum(t.calls for t in trials), sum(t.bytes for t in trials)
    print(f"{len(trials)} trials, {calls} late calls, {late} late bytes, {len(faults)} gone wrong")
    return not (calls or late or faults)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.leaving")
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="what they do, such as submit")
    options = parser.parse_args()
    KINDS[:] = [kind for kind in KINDS if kind[0].__name__.startswith(options.only)]
    runner = DiscoverRunner(verbosity=0, interactive=False)
    databases, calls = runner.setup_databases(), Calls()
    try:
        with (
            mock.patch.object(sandbox_connection, "Call", calls.note),
            PROVIDER,
            Sandbox(rate_limit=0) as hubspot,
            Here(hubspot.url) as stack,
            ThreadPoolExecutor(AT_ONCE) as pool,
        ):
            hubspot.fault(**BUSY)
            fill_the_log()
            wait_for(stack)
            numbers = range(options.trials)
            trials = [*pool.map(lambda n: play(n, options.seed, stack, hubspot, calls), numbers)]
    finally:
        connection.close()
        rate_limiter.close()
        patiently(lambda: runner.teardown_databases(databases))
    sys.exit(not tell(trials))


def wait_for(stack: Here) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if requests.get(f"http://{stack.bind}/healthz", headers=HEADERS, timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.2)
    raise AssertionError("the server did not start")


if __name__ == "__main__":
    main()
