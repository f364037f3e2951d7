import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django_q.brokers import get_broker
from django_q.cluster import Cluster

from associations.bulk.tending import Tender


class Command(BaseCommand):
    help = "Work on bulk runs until SIGINT or SIGTERM. As many as you like may run, anywhere."

    def handle(self, *args: Any, **options: Any) -> None:
        cluster = Cluster()  # it takes the signals, and lets tasks under way end
        cluster.start()
        sentinel = cluster.sentinel
        tender = Tender(get_broker())
        while sentinel.is_alive():
            tender.tend()
            time.sleep(1)
        if sentinel.exitcode:
            raise CommandError(f"The worker ended by itself (exit code {sentinel.exitcode}).")
        self.stdout.write("The worker has ended.")
