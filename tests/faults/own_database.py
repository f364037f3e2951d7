"""A test database for a campaign that is no test: made for it, and gone with it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django


@contextmanager
def own_database(name: str) -> Iterator[None]:
    """Set Django up for the tests' settings, with a database of its own; import models in here."""
    # In memory where there is such a folder: nothing of it need outlive a crash.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a folder made by mkdtemp
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        os.environ["TEST_FILE"] = f"{folder}/{name}.sqlite3"
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
        django.setup()
        from django.test.runner import DiscoverRunner

        runner = DiscoverRunner(verbosity=0, interactive=False)
        databases = runner.setup_databases()
        try:
            yield
        finally:
            from associations.gateway import rate_limiter

            rate_limiter.close()  # it has a connection of its own, and PostgreSQL drops none in use
            runner.teardown_databases(databases)
