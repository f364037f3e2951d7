"""`manage.py hubspot_sandbox`: a local stand-in for HubSpot, to try things out against."""

import signal
from argparse import ArgumentParser
from contextlib import suppress
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox

INTRODUCTION = """\
HubSpot sandbox: {url}
Token: {token}

Associate a contact with a company:
  curl -X PUT -H "Authorization: Bearer {token}" \\
    {url}/crm/v4/objects/contacts/501/associations/default/companies/902
Associate up to 2,000 pairs at once; contacts go up to 1200000, companies to 2020000:
  curl -H "Authorization: Bearer {token}" \\
    -d '{{"inputs": [{{"from": {{"id": "1000001"}}, "to": {{"id": "2000001"}}}}]}}' \\
    {url}/crm/v4/associations/contacts/companies/batch/associate/default
Read what a contact is associated with:
  curl -H "Authorization: Bearer {token}" -d '{{"inputs": [{{"id": "501"}}]}}' \\
    {url}/crm/v4/associations/contacts/companies/batch/read
Search, and let search be a minute late:
  curl -H "Authorization: Bearer {token}" -d '{{"query": "analytical"}}' \\
    {url}/crm/v3/objects/companies/search
  curl -d '{{"lag": 60}}' {url}/_sandbox/search
Let two records be linked by a label already:
  curl -d '{{"from_type": "contacts", "from_id": "502", "to_type": "companies",
    "to_id": "902", "label": "Primary"}}' {url}/_sandbox/associations
Let the next association fail:
  curl -X POST -d '{{"status": 503}}' {url}/_sandbox/faults
See what arrived, and how many calls in ten seconds at most:
  curl {url}/_sandbox/requests
  curl {url}/_sandbox/calls

Ctrl-C ends it."""


class Command(BaseCommand):
    """Run the sandbox until Ctrl-C or SIGTERM."""

    help = "Runs a local stand-in for HubSpot. It needs neither a database nor settings."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the port and the limits."""
        parser.add_argument("--port", type=int, default=8900)
        parser.add_argument(
            "--rate-limit", type=int, default=190, help="requests per 10 seconds; 0 for no limit"
        )
        parser.add_argument(
            "--search-limit", type=int, default=5, help="searches per second; 0 for no limit"
        )

    def handle(self, *, port: int, rate_limit: int, search_limit: int, **options: Any) -> None:
        """Serve until asked to end."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        sandbox = Sandbox(port, rate_limit, search_limit=search_limit)
        with suppress(KeyboardInterrupt), _started(sandbox):
            self.stdout.write(INTRODUCTION.format(url=sandbox.url, token=SANDBOX_TOKEN))
            self.stdout.flush()
            Event().wait()


def _started(sandbox: Sandbox) -> Sandbox:
    try:
        return sandbox.start().prepare()
    except (OSError, OverflowError) as error:
        raise CommandError(f"Cannot listen on port {sandbox.port}: {error}") from error
