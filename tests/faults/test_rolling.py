"""From the last release to this one and back, machine by machine, while people link records."""

import shutil
import unittest

from django.test import tag

from tests.faults.postgresql import Cluster
from tests.faults.upgrading.releases import releases
from tests.faults.upgrading.way import upgraded
from tests.hubadmin.deploy.nginx import NGINX
from tests.support import needed


@tag("long", "own_database")
@needed(NGINX, "nginx")
@needed(shutil.which("pg_config") is not None, "PostgreSQL's server")
@needed(bool(releases()), "a clone of git with the release before, which a shallow one has not,")
class RollingTests(unittest.TestCase):
    """What the tool of the same name does at length: python -m tests.faults.rolling."""

    def test_nobody_notices(self) -> None:
        with Cluster() as cluster:
            server = cluster.url.replace("/lane", "/postgres")
            told: list[str] = []
            wrong = upgraded(
                releases()[0].commit,
                server,
                rows=300,
                requests=120,
                hups=20,
                workers=1,
                sockets=True,
                say=told.append,
            )
        self.assertEqual(wrong, [], "\n".join(told))
