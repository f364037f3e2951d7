"""Whether refusals are foreseen: `python -m tests.faults.foreseen --cases 1000 --seed 1`.

Portals made at random: limits in either direction, more links than they allow, labels, merged and
deleted records, types that have no default, tokens without scopes, days whose calls are used up.
In each of them pairs go through the real preview, or as rows of a file through the real dry run
and its page; then HubSpot's stand-in is really asked to link them, one after the other. Until it
has refused half as many as `--cases`, and taken as many. Exit code 1: less than 95 % of the
refusals were foreseen, or something was called a refusal that was none.
"""

import argparse
import sys
import time

from tests.faults.own_database import own_database

GOAL = 95.0  # per cent


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.foreseen")
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with own_database("foreseen"):
        from tests.faults.refusals.campaign import Campaign

        start = time.monotonic()
        campaign = Campaign(options.seed)
        campaign.take(options.cases)
    campaign.tell(time.monotonic() - start)
    return 0 if campaign.is_well(GOAL) else 1


if __name__ == "__main__":
    sys.exit(main())
