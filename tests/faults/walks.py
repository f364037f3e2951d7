"""Random walks of people through the site, judged by what HubSpot's stand-in has and has heard.

`python -m tests.faults.walks --runs 3000 [--seed 1]` takes that many walks, each of a few steps
(submit, Back and submit again, two tabs, links that others remove, refusals, bulk runs …), reads
pages after each step, and compares what their sentences claim with what is so.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import django


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.walks")
    parser.add_argument("--runs", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    # In memory where there is such a folder: nothing of it need outlive a crash.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        os.environ["TEST_FILE"] = f"{folder}/walks.sqlite3"
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
        django.setup()
        from django.test.runner import DiscoverRunner

        from tests.faults.walking.campaign import Campaign

        runner = DiscoverRunner(verbosity=0, interactive=False)
        databases, start = runner.setup_databases(), time.monotonic()
        try:
            campaign = Campaign(options.seed)
            campaign.take(options.runs)
        finally:
            runner.teardown_databases(databases)
    campaign.tell(time.monotonic() - start)
    return 0 if campaign.is_well else 1


if __name__ == "__main__":
    sys.exit(main())
