"""How `manage.py test` runs: on every core, long classes first, on databases that may forget."""

import multiprocessing
import os
import shutil
import sys
import traceback
import unittest
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.db import connections
from django.db.backends.signals import connection_created
from django.test.runner import (
    DiscoverRunner,
    ParallelTestSuite,
    RemoteTestResult,
    RemoteTestRunner,
    _init_worker,
)
from django.test.testcases import TestCase, TransactionTestCase
from django.test.utils import iter_test_cases

from tests import demo


class FailedError(Exception):
    """What a test failed with in another process, as text: tracebacks do not travel."""


class Result(RemoteTestResult):
    """Sends what failed as text; so nothing that a test was given has to be pickled."""

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, _told(err))

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, _told(err))

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            is_failure = issubclass(err[0], test.failureException)
            add = super().addFailure if is_failure else super().addError
            add(test, _told(err, f"{subtest}\n"))


def _told(err: Any, about: str = "") -> Any:
    return FailedError, FailedError(about + "".join(traceback.format_exception(*err))), None


class RemoteRunner(RemoteTestRunner):
    resultclass = Result


def _begin(counter: Any, *rest: Any) -> None:
    _init_worker(counter, *rest)
    multiprocessing.current_process().daemon = False  # tests may start processes, too
    database = connections["default"]
    if database.vendor == "sqlite":  # other processes that a test starts know it by this
        os.environ["TEST_FILE"] = str(database.settings_dict["NAME"])


_SLOW = {"long", "own_database"}  # takes time, or starts servers and browsers


class ParallelSuite(ParallelTestSuite):
    init_worker = _begin
    runner_class = RemoteRunner

    def __init__(self, subsuites: list[Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(sorted(subsuites, key=_is_short), *args, **kwargs)


def _is_short(subsuite: Any) -> bool:
    """A long class at the end would keep one core busy and the others waiting."""
    return not _SLOW & {*getattr(type(next(iter(subsuite))), "tags", ())}


def _is_fast(test: unittest.TestCase) -> bool:
    """Whether it starts no server, no browser and no process, and leaves no rows to clear up."""
    tags = {*getattr(test, "tags", ()), *getattr(getattr(test, test._testMethodName), "tags", ())}
    is_committing = isinstance(test, TransactionTestCase) and not isinstance(test, TestCase)
    has_server = hasattr(test, "sandbox_version")
    return not (tags & _SLOW or is_committing or has_server)


class Runner(DiscoverRunner):
    """Django's, with these habits; `--parallel 1` takes one core, as `--pdb` does by itself."""

    parallel_test_suite = ParallelSuite

    def __init__(
        self, *args: Any, fast: bool = False, parallel: int = 0, pdb: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, parallel=0 if pdb else parallel, pdb=pdb, **kwargs)
        self.fast = fast

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(parallel="auto")
        # One more than cores: servers and browsers are waited for.
        os.environ.setdefault("DJANGO_TEST_PROCESSES", str(multiprocessing.cpu_count() + 1))
        parser.add_argument(
            "--fast", action="store_true", help="Only what starts no server and takes no time."
        )

    def load_tests_for_label(self, label: str, discover_kwargs: dict[str, Any]) -> Any:
        tests = super().load_tests_for_label(label, discover_kwargs)
        return self.test_suite(filter(_is_fast, iter_test_cases(tests))) if self.fast else tests

    def setup_databases(self, **kwargs: Any) -> Any:
        """Let writes not wait for the disk: nothing here has to outlive the machine."""
        database = connections["default"]
        if database.vendor == "sqlite":
            database.settings_dict["OPTIONS"]["init_command"] += " PRAGMA synchronous=OFF;"
        else:
            options = database.settings_dict.setdefault("OPTIONS", {})
            options["options"] += " -c synchronous_commit=off"
        parallel, self.parallel = self.parallel, 0
        made = super().setup_databases(**kwargs)
        self.parallel = parallel
        if any(each is database for each, _, _ in made):
            self._clone(database)
        return made

    def _clone(self, database: Any) -> None:
        if database.vendor == "sqlite":
            with database.cursor() as cursor:  # what is copied is the file alone
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            database.close()  # or copying the file would drop the locks that it has on it
            demo.migrated = Path(f"{database.settings_dict['NAME']}-migrated")
            shutil.copy(database.settings_dict["NAME"], demo.migrated)
        for number in range(1, self.parallel + 1 if self.parallel > 1 else 0):
            database.creation.clone_test_db(
                suffix=str(number), verbosity=self.verbosity, keepdb=self.keepdb
            )

    def teardown_databases(self, old_config: Any, **kwargs: Any) -> None:
        if server := sys.modules.get("hubadmin.gunicorn_conf"):  # some tests have imported it
            # To drop a database may take longer on a busy disk than a page may take.
            connection_created.disconnect(server.limit_statements)
        if demo.migrated:
            demo.migrated.unlink()
            demo.migrated = None
        super().teardown_databases(old_config, **kwargs)
        if (database := connections["default"]).vendor == "sqlite":
            name = Path(database.settings_dict["NAME"])
            for calls in name.parent.glob(f"{name.stem}*-calls{name.suffix}*"):
                calls.unlink()  # each process has counted its own
