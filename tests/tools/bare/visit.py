"""Somebody who signs in, links two records, and an admin who then looks into the log."""

import html
import re
import time
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.identity.real_provider import submit
from tests.tools.bare.outside import SITE

ORIGIN = f"https://{SITE}"
REASON = "SUP-1234"
LINK = {
    "from_object_type": "contacts",
    "from_object_id": "501",
    "to_object_type": "companies",
    "to_object_id": "902",
    "reason": REASON,
}


@dataclass
class Seen:
    """What a page said, and whether it was what one hopes for."""

    what: str
    status: int
    text: str
    is_well: bool


def link_and_look(authority: Path, seconds: float = 30) -> list[Seen]:
    """From the first page to the verified link, and to its entry in the log."""
    with _browser(authority) as mina, _browser(authority) as noah:
        page = _sign_in(mina, "mina", "/")
        seen = [_seen("signed in", page, r"Link two records")]
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        page = mina.post(f"{ORIGIN}/", hidden | LINK, headers={"Referer": ORIGIN}, timeout=60)
        seen.append(_seen("submitted", page, r"✓ Linked.{0,80}"))
        deadline = time.monotonic() + seconds
        while "seen in HubSpot" not in page.text and time.monotonic() < deadline:
            time.sleep(0.5)
            page = mina.get(page.url, timeout=60)
        seen.append(_seen("verified", page, r"✓ Linked · seen in HubSpot.{0,60}"))
        log = _sign_in(noah, "noah", "/audit/")
        return [*seen, _seen("the log", log, rf"entry \d+.{{0,80}}✓ linked.{{0,20}}{REASON}")]


def _browser(authority: Path) -> requests.Session:
    session = requests.Session()
    session.trust_env, session.verify = False, str(authority)
    session.headers["Accept-Language"] = "en"
    return session


def _sign_in(session: requests.Session, sub: str, path: str) -> requests.Response:
    page = session.get(f"{ORIGIN}{path}", timeout=60)
    start = re.search(r'<a class="button primary" href="([^"]+)"', page.text)
    if start is None:
        return page
    page = session.get(f"{ORIGIN}{html.unescape(start[1])}", timeout=60)
    return submit(session, page, login=sub)


def _seen(what: str, page: requests.Response, pattern: str) -> Seen:
    words = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.text)).split())
    found = re.search(pattern, words)
    text = found[0] if found else words[:300]
    return Seen(what, page.status_code, text, bool(found) and page.status_code == 200)
