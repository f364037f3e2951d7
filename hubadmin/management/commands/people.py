from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from hubadmin.models import User
from hubadmin.web.command_line import account, people_called
from hubadmin.web.security_events import security_event


class Command(BaseCommand):
    help = "List everybody who has ever signed in; lock somebody out at once, or let them in again."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--deactivate", metavar="WHO", help="an e-mail address or an id")
        which.add_argument("--reactivate", metavar="WHO", help="an e-mail address or an id")

    def handle(
        self, *args: Any, deactivate: str | None, reactivate: str | None, **options: Any
    ) -> None:
        who = reactivate if deactivate is None else deactivate
        if who is not None:
            self.show(self.switch(self.find(who), is_active=reactivate is not None))
            return
        for person in User.objects.order_by("name", "id"):
            self.show(person)

    def find(self, who: str) -> User:
        found = list(people_called(who))
        if not found:
            raise CommandError(f"Nobody with the e-mail address or id {who!r} has ever signed in.")
        if len(found) > 1:
            for person in found:
                self.show(person)
            raise CommandError(f"{len(found)} people have this e-mail address; name one by id.")
        return found[0]

    def switch(self, person: User, *, is_active: bool) -> User:
        if person.is_active != is_active:
            what = "reactivated" if is_active else "deactivated"
            facts = {"by": account()}
            with transaction.atomic():
                person.is_active = is_active
                person.save(update_fields=["is_active"])
                security_event.send(None, what=what, user=person, request=None, facts=facts)
        return person

    def show(self, person: User) -> None:
        state = "active" if person.is_active else "deactivated"
        role = person.role or "no role"
        self.stdout.write(
            f"{person.pk}\t{person.name}\t{person.email}\t{role}\t{state}\t{person.issuer}"
        )
