import sys
from threading import Thread
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DBError
from django.urls import reverse
from django.utils import timezone

from associations.models import Delivery, Notice, NoticeEvent
from associations.notices import service
from associations.notices.messages import message_of
from associations.notices.sending import try_to_send
from associations.status.notices import why_not

EVERYBODY = "*"


class Command(BaseCommand):
    help = "Look once for what people are to be told of, and send what is due; for a timer."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--test",
            nargs="?",
            const=EVERYBODY,
            metavar="NAME",
            help="send a test notice to each receiver, or to this one, and say what came of it",
        )

    def handle(self, *args: Any, test: str | None, **options: Any) -> None:
        if not settings.NOTICE_RECEIVERS:
            raise CommandError("NOTICE_RECEIVERS names nobody; hubadmin/README.md says how.")
        try:
            if test is None:
                service.tell_once()
            else:
                self._try_out(test)
        except DBError as error:
            why = " ".join(str(error).split())
            raise CommandError(f"The database cannot be used: {why}") from error

    def _try_out(self, name: str) -> None:
        receivers = [each for each in settings.NOTICE_RECEIVERS if name in (EVERYBODY, each.name)]
        if not receivers:
            known = ", ".join(each.name for each in settings.NOTICE_RECEIVERS)
            raise CommandError(f"There is no receiver {name}; there are: {known}.")
        now = timezone.now()
        notice = Notice.objects.create(
            event=NoticeEvent.TEST, key=f"test/{uuid4()}", at=now, path=reverse("status")
        )
        message = message_of(notice)
        errors = dict.fromkeys((each.name for each in receivers), "timed_out")

        def send(receiver: Any) -> None:
            errors[receiver.name] = try_to_send(receiver, message)

        threads = [Thread(target=send, args=[each], daemon=True) for each in receivers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(service.SEND_SECONDS)
        for each, error in list(errors.items()):
            self.stdout.write(f"{each}: {'not sent. ' + why_not(error) if error else 'sent'}")
            if not error:
                facts = {"attempts": 1, "sent_at": timezone.now()}
                Delivery.objects.create(notice=notice, receiver=each, **facts)
        if any(errors.values()):
            sys.exit(1)
