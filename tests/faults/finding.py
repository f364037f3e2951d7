"""Finding by 10,000 scripted tasks: `python -m tests.faults.finding --tasks 10000 --seed 1`.

Each is "link this person to that company" as tickets say it, done by somebody who knows what is
meant: takes what the box resolves by itself, chooses among hits by name and second line, else
gives up and pastes the address. Exit code 1: a pair was sent that nobody meant, something was
resolved by itself although it was not unique, a record was not to be had by its address either, or
one text took more than two searches.
`--limited` keeps the limits of searches, HubSpot's and our own; that takes a third of a second for
each search. `--lag` is for how many seconds search does not know what is new.
"""

import argparse
import sys
import time

from tests.faults.own_database import own_database


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.finding")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lag", type=float, default=5.0)
    parser.add_argument("--limited", action="store_true")
    options = parser.parse_args()
    with own_database("finding"):
        from tests.faults.tickets.campaign import Campaign
        from tests.faults.tickets.world import world

        start = time.monotonic()
        with world(lag=options.lag, is_limited=options.limited) as made:
            campaign = Campaign(made, options.seed)
            campaign.take(options.tasks)
    campaign.tell(time.monotonic() - start)
    return 0 if campaign.is_well else 1


if __name__ == "__main__":
    sys.exit(main())
