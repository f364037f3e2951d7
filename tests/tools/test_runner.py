"""`manage.py test`: which tests `--fast` leaves out, and in what order the others are begun."""

import unittest

from django.test import SimpleTestCase, TestCase, TransactionTestCase, tag

from tests.runner import ParallelSuite, Runner
from tests.support import SandboxMixin


def nothing(_: unittest.TestCase) -> None:
    """Do what an example does."""


class Examples:
    """In here, they are not found and run themselves."""

    class Plain(SimpleTestCase):
        test_it = nothing

        @tag("long")
        def test_long(self) -> None:
            nothing(self)

    class InATransaction(TestCase):
        test_it = nothing

    class Committing(TransactionTestCase):
        test_it = nothing

    class WithHubSpot(SandboxMixin, TestCase):
        test_it = nothing

    @tag("own_database")
    class WithServers(unittest.TestCase):
        test_it = nothing

    @tag("long")
    class Long(TestCase):
        test_it = nothing


EXAMPLES = (
    Examples.Plain,
    Examples.Committing,
    Examples.InATransaction,
    Examples.WithHubSpot,
    Examples.Long,
    Examples.WithServers,
)


def found_by(runner: Runner) -> set[str]:
    class Loader(unittest.TestLoader):
        def loadTestsFromName(self, name: str, module: object = None) -> unittest.TestSuite:
            return self.suiteClass(map(self.loadTestsFromTestCase, EXAMPLES))

    runner.test_loader = Loader()
    suite = runner.build_suite(["tests.tools.test_runner"])
    tests = (test for part in suite for test in (part if hasattr(part, "__iter__") else [part]))
    return {f"{type(test).__name__}.{test._testMethodName}" for test in tests}


class FastTests(SimpleTestCase):
    def test_it_starts_nothing_and_takes_no_time(self) -> None:
        fast = found_by(Runner(fast=True, verbosity=0))
        self.assertEqual(fast, {"Plain.test_it", "InATransaction.test_it"})

    def test_else_all_are_run(self) -> None:
        for parallel in (1, 2):
            with self.subTest(parallel=parallel):
                names = {f"{each.__name__}.test_it" for each in EXAMPLES}
                found = found_by(Runner(verbosity=0, parallel=parallel))
                self.assertEqual(found, {*names, "Plain.test_long"})


class ParallelTests(SimpleTestCase):
    def test_long_ones_are_begun_first(self) -> None:
        parts = [unittest.TestSuite([each("test_it")]) for each in EXAMPLES]
        suite = ParallelSuite(parts, 2)
        first = [type(next(iter(part))).__name__ for part in suite.subsuites]
        self.assertEqual(first[:2], ["Long", "WithServers"])
        self.assertCountEqual(first, [each.__name__ for each in EXAMPLES])

    def test_a_debugger_has_one_process(self) -> None:
        self.assertEqual(Runner(pdb=True, parallel=4).parallel, 0)
