"""A log with names, of which some people are erased: all that is left is proven, none of it found.

`python -m tests.faults.erasure --entries 10000 --people 50 --database postgresql`, where
`postgresql` is one of its own, whose files are searched, too; an address takes another, `sqlite`
a file. Exit code 1 says that something is not as it has to be.
"""

import argparse
import os
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from tests.faults.own_database import own_database
from tests.faults.postgresql import Cluster


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.erasure")
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", default="sqlite", help="sqlite, postgresql or an address")
    options = parser.parse_args()
    is_own = options.database == "postgresql"
    with Cluster() if is_own else nullcontext() as cluster:
        address = cluster.url if cluster else options.database
        os.environ.pop("TEST_DATABASE_URL", None)
        if address != "sqlite":
            os.environ["TEST_DATABASE_URL"] = f"{address}_erasure_{os.getpid()}"
        os.environ.pop("TEST_FILE", None)
        with own_database("erasure"), tempfile.TemporaryDirectory() as folder:
            from tests.faults.erased.campaign import Campaign

            campaign = Campaign(options, Path(folder), cluster.data if cluster else None)
            return 0 if campaign.run() else 1


if __name__ == "__main__":
    sys.exit(main())
