from typing import Any

from django.core.management.base import BaseCommand

from associations.audit.integrity import signing

NEW_KEY = """AUDIT_SIGNING_KEY={secret}
AUDIT_PUBLIC_KEYS={public}
"""
ADVICE = """The first is secret: only what seals or prunes the log needs it. The second is for all;
give it to those who are to check the log, and keep it when you change the key: AUDIT_PUBLIC_KEYS
takes several, separated by commas.
"""


class Command(BaseCommand):
    help = "Make a key that signs the audit log's seals. Nothing is stored; two lines are printed."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        secret, public = signing.new_key()
        self.stdout.write(NEW_KEY.format(secret=secret, public=public), ending="")
        self.stderr.write(ADVICE, ending="")
