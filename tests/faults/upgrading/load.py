"""People who link records and look at what became of it, and what each of them was answered."""

import itertools
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import requests

from tests.faults.test_rotation import AS_ADA
from tests.support import LINK

FIRST_CONTACT, FIRST_COMPANY, COMPANIES = 1_000_001, 2_000_001, 20_000  # of the sandbox's
BROKE_OFF = 0  # in the place of a status


class Request(NamedTuple):
    phase: str
    what: str  # method and path
    status: int
    seconds: float
    number: int | None  # of a submit, which its reason and its two records tell
    text: str  # of an answer that is a failure

    @property
    def has_failed(self) -> bool:
        return self.status == BROKE_OFF or self.status >= 500


class People:
    """Each has the form, submits it, reads the answer, their own list and the audit log, again."""

    def __init__(self, origin: str, verify: str | bool = True) -> None:
        self._origin, self._verify = origin, verify
        self.phase, self.requests = "", list[Request]()
        self._numbers = itertools.count()

    @contextmanager
    def at_work(self, count: int = 6) -> Iterator[None]:
        over = threading.Event()
        with ThreadPoolExecutor(count) as pool:
            running = [pool.submit(self._work, number, over) for number in range(count)]
            try:
                yield
            finally:
                over.set()
            for each in running:
                each.result()

    def wait_for(self, count: int, seconds: float = 600) -> None:
        """Until so many were asked for in this phase. Raises AssertionError."""
        deadline = time.monotonic() + seconds
        while sum(each.phase == self.phase for each in [*self.requests]) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.phase}: no {count} requests within {seconds} s")
            time.sleep(0.1)

    def link_once(self) -> None:
        with self._somebody(0) as session:
            self._link(session)

    def _somebody(self, number: int) -> requests.Session:
        session = requests.Session()
        session.trust_env, session.verify = False, self._verify
        own = {"X-SSO-Groups": "support;admin", "X-SSO-Subject": f"person-{number}"}
        session.headers.update(AS_ADA | own)
        return session

    def _work(self, person: int, over: threading.Event) -> None:
        with self._somebody(person) as session:
            while not over.is_set():
                self._link(session)
                for path in ("/requests/", "/audit/"):
                    self._ask(session, "GET", path)

    def _link(self, session: requests.Session) -> None:
        if not (page := self._ask(session, "GET", "/")):
            return
        number = next(self._numbers)
        form = LINK | dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        contact, company = pair(number)
        form |= {"from_object_id": contact, "to_object_id": company, "reason": reason(number)}
        answer = self._ask(session, "POST", "/", number, data=form)
        if answer and answer.status_code == 302:
            self._ask(session, "GET", answer.headers["Location"])

    def _ask(
        self,
        session: requests.Session,
        method: str,
        path: str,
        number: int | None = None,
        **more: dict[str, str],
    ) -> requests.Response | None:
        """Return the answer, unless it is a failure."""
        phase, begun = self.phase, time.monotonic()
        status, text, answer = BROKE_OFF, "", None
        try:
            answer = session.request(
                method, self._origin + path, allow_redirects=False, timeout=90, **more
            )
            status = answer.status_code
            text = "" if status < 400 else answer.text
        except requests.RequestException as error:
            text = repr(error)
        what = f"{method} {re.sub(r'[0-9]+', 'N', path)}"
        taken = time.monotonic() - begun
        self.requests.append(Request(phase, what, status, taken, number, text))
        return answer if status < 400 else None


def pair(number: int) -> tuple[str, str]:
    """The ids of a contact and of a company that nobody else links."""
    return str(FIRST_CONTACT + number), str(FIRST_COMPANY + number % COMPANIES)


def reason(number: int) -> str:
    return f"SUP-{number}"
