import os
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from hubadmin.demo import server
from hubadmin.demo.sign_in import PEOPLE, provision_person

ANNOUNCEMENT = """
hubadmin   {address}
HubSpot    {hubspot}

{advice}
Ctrl-C ends it; what you did is kept for the next start (--reset forgets it).
"""
SANDBOX_ADVICE = """Try it:
  1. Open {address} and sign in as Mina Sato (support).
  2. Paste {hubspot}/contacts/4242/record/0-1/501 under “This record” and
     “company 902” under “belongs to”, see what they are, and press Enter. Then try company 999.
  3. Sign out, sign in as Noah Berg (admin), and open the audit log.
  4. Open {hubspot} to see the stand-in's records.
"""
REAL_ADVICE = """This is a REAL HubSpot account: every link you make is made there.
"""


class Command(BaseCommand):
    help = "Run hubadmin on this machine with a stand-in for HubSpot: nothing to set up."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="0 takes any free one")
        parser.add_argument("--reset", action="store_true", help="forget earlier demos first")
        parser.add_argument(
            "--real-hubspot",
            action="store_true",
            help="use HUBSPOT_API_BASE_URL and HUBSPOT_ACCESS_TOKEN instead of the stand-in",
        )

    def handle(
        self, *args: Any, port: int, reset: bool, real_hubspot: bool, **options: Any
    ) -> None:
        if not settings.DEMO:
            raise CommandError("Start the demo with `manage.py demo`: it has settings of its own.")
        if real_hubspot and not os.environ.get("HUBSPOT_ACCESS_TOKEN"):
            raise CommandError("--real-hubspot needs HUBSPOT_ACCESS_TOKEN in the environment.")
        try:
            port = server.free_port(port)
            server.claim_folder(settings.DEMO_DIR)
            if reset:
                server.forget(settings.DEMO_DIR)
            call_command("migrate", verbosity=0)
            for person in PEOPLE:
                provision_person(person)
            server.seal_meanwhile()
            server.run(port, real_hubspot, self.announce)
        except server.DemoError as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(f"The demo's database cannot be used: {error}.") from error

    def announce(self, address: str, hubspot: str) -> None:
        advice = REAL_ADVICE if settings.REAL_HUBSPOT_IN_DEMO else SANDBOX_ADVICE
        text = ANNOUNCEMENT.replace("{advice}", advice)
        self.stdout.write(text.format(address=address, hubspot=hubspot))
        self.stdout.flush()
