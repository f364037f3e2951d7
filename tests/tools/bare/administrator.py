"""Whoever sets the machine up: types what README says, and knows what nobody else does."""

import re
import shlex

from hubadmin.demo.sandbox import SANDBOX_TOKEN
from tests.tools.bare.machine import INSIDE, OUTSIDE, Ended, Machine
from tests.tools.bare.outside import HUBSPOT, ISSUER, SITE, Outside, hosts

# What is so only because neither HubSpot nor the provider is the real one: lines of web.env.
OF_THE_STAGE = f"""\
HUBSPOT_API_BASE_URL={HUBSPOT}
SSO_SCOPES=openid profile email groups
CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt
"""
_ASKS = re.compile(r"manage\.py setup$", re.M)


class Administrator:
    """`answers` are what `manage.py setup` asks for, given before as README allows."""

    def __init__(self, machine: Machine, outside: Outside) -> None:
        self._machine, self._outside = machine, outside
        self.answers = {
            "ALLOWED_HOSTS": SITE,
            "HUBSPOT_ACCESS_TOKEN": SANDBOX_TOKEN,
            "SSO_ISSUER": ISSUER,
            "SSO_CLIENT_ID": outside.provider.client_id,
            "SSO_CLIENT_SECRET": outside.provider.client_secret,
            "SSO_SUPPORT_GROUPS": "hubadmin-support",
            "SSO_ADMIN_GROUPS": "hubadmin-admins",
        }

    def bring_along(self) -> list[str]:
        """Put there what a company's machine has before, and tell what."""
        write, folder = self._machine.write, self._outside.folder
        write("/etc/hosts", hosts(INSIDE, OUTSIDE))
        write("/usr/local/share/ca-certificates/own.crt", self._outside.authority.read_text())
        write("/etc/ssl/hubadmin.pem", (folder / "site.pem").read_text())
        write("/etc/ssl/private/hubadmin.key", (folder / "site.key").read_text(), 0o600)
        write("/etc/hubadmin/web.env", OF_THE_STAGE)
        return [
            "names of its network (/etc/hosts)",
            "an authority of one's own (/usr/local/share/ca-certificates)",
            "the site's certificate and key (/etc/ssl)",
            "where the stand-ins are (three lines of web.env)",
        ]

    def type(self, text: str) -> Ended:
        """Type a command; where setup asks, with what only a person knows."""
        if not _ASKS.search(text):
            return self._machine.type(text)
        answers = [f"{name}={shlex.quote(value)}" for name, value in self.answers.items()]
        return self._machine.type(f"(export {' '.join(answers)}; {text})")
