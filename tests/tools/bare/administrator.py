"""Whoever sets the machine up: types what README says, and knows what nobody else does."""

import re
import secrets
from pathlib import Path

from hubadmin.demo.sandbox import SANDBOX_TOKEN
from tests.tools.bare.machine import INSIDE, OUTSIDE, Ended, Machine
from tests.tools.bare.outside import HUBSPOT, ISSUER, SITE, Outside, hosts
from tests.tools.bare.recipe import Command

# What an editor is called by; whoever sits there sees what the command has said so far.
EDITOR = """#!/bin/sh
printf '%s\\n' "$@" >/root/.editing.new && mv /root/.editing.new /root/.editing
while [ -e /root/.editing ]; do sleep 0.1; done
"""
EDITORS = "nano", "vi", "vim", "editor"


class Administrator:
    """`values` are what stands for each `…`; `edits` are the files that were edited by hand."""

    def __init__(self, machine: Machine, outside: Outside) -> None:
        self._machine, self._outside = machine, outside
        self.edits: list[str] = []
        self.values = {
            "HUBADMIN_OWNER_PASSWORD": secrets.token_urlsafe(20),
            "HUBADMIN_PASSWORD": secrets.token_urlsafe(20),
            "HUBSPOT_ACCESS_TOKEN": SANDBOX_TOKEN,
            "SSO_CLIENT_SECRET": outside.provider.client_secret,
        }
        # What is so only because neither HubSpot nor the provider is the real one.
        self._of_the_stage = [
            f"HUBSPOT_API_BASE_URL={HUBSPOT}",
            "SSO_SCOPES=openid profile email groups",
            "CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt",
        ]

    def bring_along(self) -> list[str]:
        """Put there what a company's machine has before, and tell what."""
        write, folder = self._machine.write, self._outside.folder
        write("/etc/hosts", hosts(INSIDE, OUTSIDE))
        write("/usr/local/share/ca-certificates/own.crt", self._outside.authority.read_text())
        write("/etc/ssl/hubadmin.pem", (folder / "site.pem").read_text())
        write("/etc/ssl/private/hubadmin.key", (folder / "site.key").read_text(), 0o600)
        for name in EDITORS:
            write(f"/usr/local/bin/{name}", EDITOR, 0o755)
        return [
            "names of its network (/etc/hosts)",
            "an authority of one's own (/usr/local/share/ca-certificates)",
            "the site's certificate and key (/etc/ssl)",
        ]

    def type(self, command: Command) -> Ended:
        return self._machine.type(command.text, self._edit)

    def _edit(self, said: str) -> None:
        """Write the files that an editor has been opened with."""
        asked = self._machine.path("/root/.editing")
        if asked.exists():
            for path in asked.read_text().split():
                self._machine.write(path, self._written(path, said), 0o600)
                self.edits.append(path)
            asked.unlink()

    def _written(self, path: str, said: str) -> str:
        keys = dict(re.findall(r"^(AUDIT_\w+)=(\S+)", said, re.M))
        address = "DATABASE_URL=postgres://{}:{}@127.0.0.1:5432/hubadmin\n".format
        owner = address("hubadmin_owner", self.values["HUBADMIN_OWNER_PASSWORD"])
        serving = address("hubadmin", self.values["HUBADMIN_PASSWORD"])
        match Path(path).name:
            case "owner.env":
                return owner
            case "sealer.env":
                return f"{serving}AUDIT_SIGNING_KEY={keys['AUDIT_SIGNING_KEY']}\n"
            case "web.env":
                public = f"AUDIT_PUBLIC_KEYS={keys['AUDIT_PUBLIC_KEYS']}"
                return serving + "\n".join([*self._least(), public, *self._of_the_stage, ""])
            case "hubadmin.conf":
                return self._machine.path(path).read_text()  # the names in it are this site's
        raise KeyError(path)

    def _least(self) -> list[str]:
        """The least that serves, as the top README has it."""
        return [
            f"SECRET_KEY={secrets.token_urlsafe(50)}",
            f"ALLOWED_HOSTS={SITE}",
            "TRUSTED_PROXY_COUNT=1",
            f"HUBSPOT_ACCESS_TOKEN={SANDBOX_TOKEN}",
            "HUBSPOT_API_VERSION=2026-09",
            "SSO_MODE=oidc",
            f"SSO_ISSUER={ISSUER}",
            f"SSO_CLIENT_ID={self._outside.provider.client_id}",
            f"SSO_CLIENT_SECRET={self._outside.provider.client_secret}",
            "SSO_SUPPORT_GROUPS=hubadmin-support",
            "SSO_ADMIN_GROUPS=hubadmin-admins",
        ]
