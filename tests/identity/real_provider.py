"""A real OpenID provider, panva's oidc-provider, on this machine: see provider/provider.mjs.

`npm ci --prefix tests/identity/provider` installs it.
"""

import os
import re
import secrets
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import requests

from tests.identity.processes import Process

FOLDER = Path(__file__).parent / "provider"
NODE = shutil.which("node")
AVAILABLE = bool(NODE) and (FOLDER / "node_modules/oidc-provider").is_dir()
CLIENT_ID = "hubadmin"


class RealProvider:
    """Runs as long as it is entered. It knows one client and the accounts that a test sets."""

    def __init__(self, *, lean_id_tokens: bool = False, issuer: str = "") -> None:
        """`lean_id_tokens`: the userinfo endpoint alone tells more than the subject.

        `issuer`: what it goes by, if not by its own `address`, where a proxy then has to lead.
        """
        self._named = issuer
        self.client_id, self.client_secret = CLIENT_ID, secrets.token_hex(32)
        environment = {
            "PATH": os.environ["PATH"],
            "CLIENT_ID": self.client_id,
            "CLIENT_SECRET": self.client_secret,
            "ISSUER": issuer,
            "LEAN_ID_TOKENS": "yes" if lean_id_tokens else "",
            # It tells hubadmin of logouts, whose certificate here nobody vouches for.
            "NODE_TLS_REJECT_UNAUTHORIZED": "0",
        }
        self._process = Process([NODE or "node", str(FOLDER / "provider.mjs")], env=environment)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._process)
            self._process.wait_until(self._listens)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _listens(self) -> bool:
        said = re.search(r"^listening at (\S+)$", self._process.output(), re.M)
        self.address = said[1] if said else ""
        self.issuer = self._named or self.address
        return bool(said)

    def output(self) -> str:
        return self._process.output()

    def register(
        self,
        redirect_uris: Sequence[str],
        signed_out_uris: Sequence[str] = (),
        *,
        back_channel: str = "",
        with_sid: bool = True,
    ) -> None:
        """Tell where the client may have people sent, and where it wants to be told of logouts."""
        told = {
            "backchannel_logout_uri": back_channel,
            "backchannel_logout_session_required": with_sid,
        }
        self._control(
            "POST",
            "client",
            redirect_uris=list(redirect_uris),
            post_logout_redirect_uris=list(signed_out_uris),
            **told if back_channel else {},
        )

    def set_account(self, sub: str, groups: Sequence[str] = (), **claims: Any) -> None:
        """Add or replace an account; people sign in with its subject or its e-mail address."""
        known = {"email": f"{sub}@example.com", "name": sub.title()}
        self._control("POST", "accounts", **known | claims, sub=sub, groups=list(groups))

    def delete_account(self, sub: str) -> None:
        """Delete an account, and with it its sessions at the provider."""
        self._control("DELETE", "accounts", sub=sub)

    def sign_out_everywhere(self) -> None:
        """End every session at the provider, as its administrator can."""
        self._control("POST", "sign-out-everywhere")

    def sign_out(self, sub: str) -> None:
        """End an account's sessions at the provider, and have it tell the client."""
        self._control("POST", "sign-out", sub=sub)

    def rotate_keys(self, *, keep_name: bool = False) -> None:
        """Sign with a new key. With `keep_name` it takes the place and the `kid` of the old."""
        self._control("POST", "rotate-keys", keep_name=keep_name)

    def log(self, event: str | None = None) -> list[dict[str, Any]]:
        """What the provider was asked and did, in order; of one kind only if `event` is given.

        `authorization` (with its `query`), and the provider's own names for what came of it:
        `authorization.success`, `.error`, `grant.success`, `.error`, `end_session.success`, ….
        """
        entries = self._control("GET", "log")
        return [entry for entry in entries if event in (None, entry["event"])]

    def clear_log(self) -> None:
        self._control("DELETE", "log")

    def _control(self, method: str, what: str, **fields: Any) -> Any:
        answer = requests.request(
            method, f"{self.address}/control/{what}", json=fields or None, timeout=10
        )
        answer.raise_for_status()
        return answer.json()


def submit(session: requests.Session, page: requests.Response, **fields: str) -> requests.Response:
    """Fill in and send the one form on the provider's page, and follow where that leads.

    `login="ada"` on the page to sign in; `logout="yes"` on the page to sign out, where a browser
    clicks by itself.
    """
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    action = re.search(r'<form[^>]* action="([^"]*)"', page.text)
    return session.post(action[1] if action else page.url, data=hidden | fields, timeout=30)
