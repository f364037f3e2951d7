"""Random walks of people through the site, judged by what HubSpot's stand-in has and has heard.

`python -m tests.faults.walks --runs 3000 [--seed 1]` takes that many walks, each of a few steps
(submit, Back and submit again, two tabs, links that others remove, refusals, bulk runs …), reads
pages after each step, and compares what their sentences claim with what is so. `--database` is an
address of PostgreSQL, where the walks make a database of their own.
"""

import argparse
import os
import sys
import time

from tests.faults.own_database import own_database


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.walks")
    parser.add_argument("--runs", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", help="sqlite, unless this is an address of PostgreSQL")
    options = parser.parse_args()
    if options.database:
        os.environ["TEST_DATABASE_URL"] = options.database
    with own_database("walks"):
        from tests.faults.walking.campaign import Campaign

        start, campaign = time.monotonic(), Campaign(options.seed)
        campaign.take(options.runs)
    campaign.tell(time.monotonic() - start)
    return 0 if campaign.is_well else 1


if __name__ == "__main__":
    sys.exit(main())
