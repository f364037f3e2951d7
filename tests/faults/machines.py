"""Let machines of a site fail while people use it: `python -m tests.faults.machines`.

Web machines behind nginx, machines of workers, and one each for PostgreSQL, Redis, the sealer and
HubSpot, in network namespaces of their own. A dozen people link all the time, and a run of 300 rows
goes on during each fault. Exit code 1: something is lost, doubled, hanging or not proven, or did
not go on by itself. It takes root; without the right to make namespaces, nothing is unplugged.
"""

import argparse
import os
import sys
from functools import partial

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from tests.faults.failover.campaign import FAULTS, tried


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--web", type=int, default=3, help="machines")
    parser.add_argument("--workers", type=int, default=3, help="machines")
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--only", default="", metavar="WORDS", help="faults whose names have these")
    told = parser.parse_args()
    wrong = tried(
        webs=told.web,
        workers=told.workers,
        people=told.people,
        faults=[each for each in FAULTS if told.only in each.name],
        say=partial(print, flush=True),
    )
    print("wrong:", *wrong, sep="\n  ") if wrong else print("all is well")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
