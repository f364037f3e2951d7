"""People who link records and look at pages all the while, so that whatever is lost is noticed."""

import itertools
import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import requests

from tests.faults.test_rotation import AS_ADA, SECRET
from tests.support import LINK

SSO = {"SSO_MODE": "header", "SSO_ISSUER": "proxy", "SSO_HEADER_SECRET": SECRET} | {
    "SUBMITS_PER_PERSON_PER_MINUTE": "0"
}
REFUSED = 0  # in the place of a status: the connection was refused, or broke off


class Crowd:
    """Linkers submit, each submit with a reason of its own; readers only look."""

    def __init__(self, origin: str, verify: str | bool = True) -> None:
        self.origin, self.verify = origin, verify
        self.seen = Counter[int]()  # statuses of GET
        self.sent: dict[str, int] = {}  # the status of the POST with this reason
        self._numbers = itertools.count()

    @contextmanager
    def at_work(self, linkers: int = 4, readers: int = 2) -> Iterator[None]:
        over = threading.Event()

        def again_and_again(do: object) -> None:
            with requests.Session() as session:
                session.trust_env, session.verify = False, self.verify
                session.headers.update(AS_ADA)
                while not over.is_set():
                    do(session)

        with ThreadPoolExecutor(linkers + readers) as pool:
            work = [self._link] * linkers + [self._look] * readers
            running = [pool.submit(again_and_again, each) for each in work]
            try:
                yield
            finally:
                over.set()
            for each in running:
                each.result()

    def _look(self, session: requests.Session) -> requests.Response | None:
        try:
            page = session.get(f"{self.origin}/", timeout=60)
        except requests.ConnectionError:
            self.seen[REFUSED] += 1
            return None
        self.seen[page.status_code] += 1
        return page

    def _link(self, session: requests.Session) -> None:
        page = self._look(session)
        if page is None or page.status_code != 200:
            return
        reason = f"SUP-{next(self._numbers)}"
        form = LINK | dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        # Secure cookies are for https, which the server itself does not speak.
        cookies = "; ".join(f"{each.name}={each.value}" for each in page.cookies)
        cookies = cookies or page.request.headers.get("Cookie", "")
        try:
            answer = session.post(
                f"{self.origin}/",
                form | {"reason": reason},
                headers={"Cookie": cookies},
                allow_redirects=False,
                timeout=60,
            )
            self.sent[reason] = answer.status_code
        except requests.ConnectionError:
            self.sent[reason] = REFUSED

    def statuses(self) -> Counter[int]:
        return Counter(self.sent.values())


def entries(database: Path) -> Counter[str]:
    """How many entries the log has with each reason."""
    with closing(sqlite3.connect(database, timeout=20)) as connection:
        rows = connection.execute("SELECT reason FROM associations_associationrequest")
        return Counter(reason for (reason,) in rows)
