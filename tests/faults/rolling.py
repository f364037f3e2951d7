"""Upgrade a site machine by machine while people use it, and go back:

    python -m tests.faults.rolling --from COMMIT --rows 10000 --requests 10000

The code of a release before comes out of git's history, and runs with the packages of this one. Its
database has so many entries when the new code migrates it. Two servers are behind nginx, as
`hubadmin/deploy/` has it; one after the other gets the new code, and later the old one again, while
the database stays as the new one has made it. In between, each reads its secrets again (HUP).

Exit code 1: a page failed, a link was lost or made twice, a server was not ready while it served,
or the log is not proven in the end. `--database` is an address of PostgreSQL, of somebody who may
make databases and roles, or `sqlite`: one machine, whose socket stays open meanwhile.
"""

import argparse
import os
import sys
from functools import partial

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from tests.faults.upgrading.releases import releases
from tests.faults.upgrading.way import upgraded

SERVER = "postgres://postgres@127.0.0.1:5432/postgres"


def main() -> int:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--from", dest="commits", action="append", metavar="COMMIT")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--hups", type=int, default=10_000, help="requests while HUPs come")
    parser.add_argument("--database", default=SERVER)
    parser.add_argument("--without-sockets", action="store_true", help="of systemd")
    told = parser.parse_args()
    commits = told.commits or [each.commit for each in releases()[:2]]
    wrong = []
    for commit in commits:
        print(f"from {commit}, {told.rows} entries, {told.database}", flush=True)
        numbers = {"rows": told.rows, "requests": told.requests, "hups": told.hups, "workers": 2}
        sockets = not told.without_sockets
        wrong += upgraded(
            commit, told.database, **numbers, sockets=sockets, say=partial(print, flush=True)
        )
    print("wrong:", *wrong, sep="\n  ") if wrong else print("all is well")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
