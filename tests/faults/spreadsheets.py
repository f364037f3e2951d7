"""Files as people have them, and what the dry run of a bulk run makes of them.

`python -m tests.faults.spreadsheets --files 1000 --seed 2811 --database postgresql`, where
`postgresql` is one of its own; an address takes another, `sqlite` a file. Exit code 1: a row came
out ready that a person would have had to choose or could not know, a pair was sent that nobody
meant, a row was lost or doubled, or a run's numbers are not those of its rows. `--only` reads one
file alone.
"""

import argparse
import os
import sys
import time
from contextlib import nullcontext

from tests.faults.own_database import own_database
from tests.faults.postgresql import Cluster


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.spreadsheets")
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, default=None, help="the number of a file")
    parser.add_argument("--database", default="sqlite", help="sqlite, postgresql or an address")
    options = parser.parse_args()
    with Cluster() if options.database == "postgresql" else nullcontext() as cluster:
        address = cluster.url if cluster else options.database
        os.environ.pop("TEST_DATABASE_URL", None)
        if address != "sqlite":
            os.environ["TEST_DATABASE_URL"] = f"{address}_sheets_{os.getpid()}"
        with own_database("sheets"):
            from tests.faults.sheets.campaign import Campaign, portal

            start = time.monotonic()
            with portal(options.seed) as truth:
                campaign = Campaign(truth, options.seed, only=options.only)
                campaign.take(options.files)
        campaign.tell(time.monotonic() - start)
        return 0 if campaign.is_well else 1


if __name__ == "__main__":
    sys.exit(main())
