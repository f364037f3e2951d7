"""One walk's world: HubSpot's stand-in, two people with their tabs, a worker, and what was done."""

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from unittest import mock
from urllib.parse import urlencode

from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone, translation

from associations.audit.integrity import triggers
from associations.bulk import tasks
from associations.gateway import clients
from associations.hubspot.client import Limits
from associations.models import AssociationRequest, BulkRun, Worker
from associations.models.coordination import DEAD_AFTER
from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox
from tests.faults.walking.clock import Clock
from tests.faults.walking.hubspot import Pair, Portal
from tests.faults.walking.pages import Page, read_csv, read_html
from tests.faults.walking.trouble import NONE, Trouble
from tests.support import SignedInClient, forget_looks, person

QUICK = Limits(connect=2, read=0.25, total=2, attempts=2, pause=0.002)
QUICK_BULK = Limits(connect=2, read=0.25, total=2, attempts=1)
KINDS = {
    "form": r"/",
    "preview": r"/preview/",
    "entry": r"/requests/\d+/(check/)?",
    "mine": r"/requests/",
    "runs": r"/bulk/",
    "run": r"/bulk/\d+/((start|ask|refuse|columns|choices)/)?",
    "fragment": r"/bulk/\d+/progress/",
    "results": r"/bulk/\d+/results.csv",
    "bad-rows": r"/bulk/\d+/bad-rows.csv",
    "status": r"/status/",
    "times": r"/status/times/",
    "audit": r"/audit/",
}
# As small as a walk's runs, so that each part of the work can be a step of its own.
_SIZES = {
    "associations.bulk.staging.ROWS_AT_ONCE": 4,
    "associations.bulk.dry_run.PAIRS_AT_ONCE": 4,
    "associations.bulk.enqueueing.ROWS_AT_ONCE": 2,
    "associations.bulk.enqueueing.CHUNK_ROWS": {"batch": 4, "single": 4},
    "associations.bulk.batch_sender.FEW": 1,
    "associations.gateway.clients.PUTS_AT_ONCE": 2,
    "associations.bulk.tasks.SHORT_PAUSE": 0.0,
    "associations.linking.verification.PAUSE": 0.0,
    "associations.bulk.resolving.MOST_WORDS": 4,
    "associations.bulk.not_ready.ROWS_SHOWN": 2,
    "associations.bulk.not_ready.CHOICES_SHOWN": 2,
    "associations.hubspot.search.A_SECOND": 0.0,
}
_LONG = 10 * 24 * 60 * 60  # nobody is signed out on the way: other tests are about that


@dataclass(slots=True)
class Tab:
    """A form as it stands in a browser, with its one-time token."""

    fields: dict[str, str]
    sent_at: datetime | None = None


def _headers_for(address: str) -> dict[str, str]:
    """What a page's script says as it asks for a part of it."""
    return {"HX-Request": "true"} if address.endswith(("/preview/", "/progress/")) else {}


@dataclass(slots=True)
class World:
    portal: Portal
    clock: Clock
    clients: dict[str, SignedInClient] = field(default_factory=dict)
    tabs: list[Tab] = field(default_factory=list)
    trouble: Trouble = NONE
    past_troubles: list[tuple[datetime, Trouble]] = field(default_factory=list)  # and their ends
    has_worker: bool = True
    worker_left: datetime | None = None
    previews_used_up: datetime | None = None
    step_began: datetime = field(default_factory=timezone.now)
    story: list[str] = field(default_factory=list)  # what was done, in words
    judge: Callable[[Page], None] = lambda page: None  # told of each page as it is shown
    read_at: dict[int, list[datetime]] = field(default_factory=dict)  # when runs were worked on
    chosen: dict[int, str] = field(default_factory=dict)  # key → the record, empty for none of them
    met_trouble: set[int] = field(default_factory=set)  # runs worked on while something was wrong
    resent: Tab | None = None  # what the present step sends though it was sent before

    # --- what people see --------------------------------------------------------------------------

    def get(self, address: str, who: str = "support", **query: str) -> Page:
        asked = {"headers": _headers_for(address), "follow": True}
        return self._shown(self.clients[who].get(address, query, **asked))

    def post(self, address: str, who: str = "support", **fields: Any) -> Page:
        asked = {"headers": _headers_for(address), "follow": True}
        return self._shown(self.clients[who].post(address, fields, **asked), **fields)

    def _shown(self, response: Any, **posted: str) -> Page:
        path = response.request["PATH_INFO"]
        kind = next(name for name, pattern in KINDS.items() if re.fullmatch(pattern, path))
        body = response.getvalue().decode()
        query = response.request["QUERY_STRING"]
        if kind == "preview":  # what it is about stands in no address
            query = urlencode(posted)
        address = f"{path}?{query}".rstrip("?")
        is_file = response.headers.get("Content-Type", "").startswith("text/csv")
        read = read_csv if is_file else read_html
        page = read(kind, address, response.status_code, body)
        self.judge(page)
        return page

    # --- what is so -------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def entries(self) -> list[AssociationRequest]:
        return list(AssociationRequest.objects.order_by("pk"))

    def runs(self) -> list[BulkRun]:
        return list(BulkRun.objects.order_by("pk"))

    def was_in_trouble(self, seconds: float) -> list[Trouble]:
        """What is wrong, and what was until so many seconds ago."""
        since = self.now - timedelta(seconds=seconds)
        return [self.trouble, *(each for ended, each in self.past_troubles if ended >= since)]

    def begin(self, trouble: Trouble) -> None:
        self.past_troubles.append((self.now, self.trouble))
        self.trouble.end(self.portal.sandbox)
        trouble.begin(self.portal.sandbox)
        self.trouble, self.portal.trouble = trouble, trouble.name

    def may_have_worker(self) -> bool:
        """Whether a page may take a worker for alive: it was, not long ago."""
        left = self.worker_left
        return self.has_worker or bool(left and self.now - left <= DEAD_AFTER)

    def settle(self) -> None:
        """Let the sandbox answer what nobody waits for any more, or it counts in the next step."""
        time.sleep(self.trouble.fault.get("delay", 0))

    def has_failed(self, run: int) -> bool:
        """Whether a call for a run was not answered as HubSpot does."""
        return run in self.met_trouble

    def sees_worker(self) -> None:
        """The worker gives its sign of life, as it does each second."""
        if self.has_worker:
            Worker.objects.update_or_create(name="walker", defaults={"seen_at": self.now})

    def note(self, text: str) -> None:
        self.story.append(text)


def pair_of(entry: AssociationRequest) -> Pair:
    return (
        (entry.from_object_type, entry.from_object_id),
        (entry.to_object_type, entry.to_object_id),
    )


class Turns:
    """Until when a worker works: so many looks at the clock, on whatever machine."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __le__(self, now: float) -> bool:
        self.left -= 1
        return self.left < 0


def work(run: BulkRun, turns: int) -> None:
    """Do a little of what there is to do for a run, as a worker's process does."""
    step = tasks._STEPS.get(run.state)
    try:
        if step:
            # It only asks whether to stop.
            step(run, Turns(turns))  # type: ignore[arg-type]
    except (tasks.LeaseLostError, tasks.StoppedError):
        pass


@contextmanager
def site(sandbox: Sandbox, clock: Clock) -> Iterator[Portal]:
    """The site with HubSpot's stand-in, quick and on this clock; for as many walks as there are."""
    portal = Portal(sandbox, clock)
    quick = override_settings(
        HUBSPOT_API_BASE_URL=sandbox.url,
        HUBSPOT_ACCESS_TOKEN=SANDBOX_TOKEN,
        HUBSPOT_SEARCHES_PER_SECOND=300,  # walks are about what is so, not about waiting
        BULK_ROW_PATIENCE_SECONDS=60,
        SSO_SESSION_SECONDS=_LONG,
        SSO_IDLE_SECONDS=_LONG,
        SSO_RECHECK_SECONDS=_LONG,
        SESSION_COOKIE_AGE=_LONG,
    )
    with ExitStack() as stack:
        stack.enter_context(quick)
        stack.enter_context(clock.everywhere())
        stack.enter_context(portal.listening())
        for name, value in _SIZES.items():
            stack.enter_context(mock.patch(name, value))
        stack.enter_context(translation.override("en"))
        yield portal


@contextmanager
def world(portal: Portal, chance: random.Random) -> Iterator[World]:
    """A world of its own for one walk: nothing is left of the one before."""
    _clear(portal)
    made = World(portal, portal.clock, has_worker=chance.random() < 0.85)
    made.clients = {
        name: SignedInClient(person(name), raise_request_exception=False)
        for name in ("support", "admin")
    }
    limit = 3 if chance.random() < 0.05 else 0
    with (
        override_settings(SUBMITS_PER_PERSON_PER_MINUTE=limit),
        mock.patch.object(settings, "BULK_WAY", chance.choice(["batch", "single"])),
    ):
        try:
            yield made
        finally:
            made.trouble.end(portal.sandbox)


def _clear(portal: Portal) -> None:
    with triggers.lifted():
        call_command(
            "flush",
            verbosity=0,
            interactive=False,
            reset_sequences=True,
            inhibit_post_migrate=True,
        )
    portal.reset()
    cache.clear()
    forget_looks()
    clients.interactive().limits = clients.looking().limits = QUICK
    for door in clients.OF_WORKERS:
        door().limits = QUICK_BULK
