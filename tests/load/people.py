"""People at a real server that believes a proxy's headers, and what their waiting comes to."""

import re
import statistics
import time
from collections.abc import Callable

import requests

from tests.hubadmin.deploy.nginx import Nginx
from tests.identity.server import Server
from tests.support import LINK

SECRET = "a-secret-that-the-proxy-and-we-share-42"
BY_HEADER = {"SSO_MODE": "header", "SSO_ISSUER": "proxy", "SSO_HEADER_SECRET": SECRET}
PATIENCE = 15.0  # seconds, after which somebody gives up


def headers_of(name: str, group: str = "support") -> dict[str, str]:
    return {
        "Host": "localhost",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "192.0.2.7",
        "X-SSO-Secret": SECRET,
        "X-SSO-Subject": name,
        "X-SSO-Name": name.title(),
        "X-SSO-Groups": group,
    }


class Person:
    """Somebody with a browser."""

    patience = PATIENCE

    def __init__(self, server: Server | Nginx, name: str, group: str = "support") -> None:
        self._address, self._headers = server.origin, headers_of(name, group)
        self._cookies: dict[str, str] = {}
        self._hidden: dict[str, str] = {}
        self._session = requests.Session()
        self._session.trust_env = False
        if isinstance(server, Nginx):
            self._session.verify = str(server.certificate)

    def get(self, path: str) -> requests.Response:
        return self._ask("GET", path)

    def preview(self, from_object_id: str, to_object_id: str) -> None:
        """Have the form show two records."""
        if not self._hidden:
            self._hidden = self._hidden_now()
        ids = {"from_object_id": from_object_id, "to_object_id": to_object_id}
        self._ask("POST", "/preview/", data=LINK | self._hidden | ids, hx=True)

    def submit(self, **fields: str) -> str:
        """Link two records, and return the page that tells what came of it."""
        answer = self._ask("POST", "/", data=LINK | self._hidden_now() | fields)
        return self.get(answer.headers["Location"]).text if answer.is_redirect else answer.text

    def _hidden_now(self) -> dict[str, str]:
        """What a form that is opened now has besides what people fill in."""
        return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', self.get("/").text))

    def _ask(
        self, method: str, path: str, *, hx: bool = False, **options: object
    ) -> requests.Response:
        # The cookies are for https, which a proxy would have made of this.
        by_script = {"HX-Request": "true"} if hx else {}
        cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        answer = self._session.request(
            method,
            self._address + path,
            headers=self._headers | by_script | {"Cookie": cookie, "Referer": "https://localhost/"},
            allow_redirects=False,
            timeout=self.patience,
            **options,
        )
        self._cookies |= {cookie.name: cookie.value for cookie in answer.cookies}
        return answer


def seconds_of(work: Callable[[], object]) -> float:
    """How long it takes; whoever gives up has waited for all that time."""
    start = time.monotonic()
    try:
        work()
    except requests.RequestException:
        return PATIENCE
    return time.monotonic() - start


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]
