"""A worker that gives up on HubSpot soon: `python -m tests.faults.bulk_worker`."""

import sys
from datetime import timedelta

import django
from django.core.management import execute_from_command_line

django.setup()

from associations.bulk import backoff, resolving
from associations.bulk import backoff as reactions
from associations.gateway import clients
from associations.hubspot.client import Limits

clients.BULK_PUT = Limits(connect=0.5, read=0.8, total=1.2, attempts=1)
clients.BULK_BATCH = Limits(connect=0.5, read=1.2, total=1.6, attempts=1)
backoff.LONGEST_SILENCE = timedelta(seconds=2)
reactions.WAIT_WHEN_BUSY = 1.0
resolving.PATIENCE = 0.5

if __name__ == "__main__":
    execute_from_command_line([sys.argv[0], "run_worker"])
