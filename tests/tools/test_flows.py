"""What is counted of a flow, with files that are made up."""

import sys
from collections.abc import Callable
from unittest import TestCase

from tests.tools.tracer import ROOT, Trace, is_product, trace

FILES = {
    "a.py": """
def start():
    step()
    here()
    pass_on(step)  # the other's file does not count
    return list(numbers())

def here():
    pass

def in_a_thread():
    thread = threading.Thread(target=step)
    thread.start()
    thread.join()

def fail():
    step()
    raise ValueError
""",
    "b.py": """
def step():
    own()

def own():
    pass

def numbers():
    yield 1
    yield 2
""",
    "other.py": """
import threading

def pass_on(do):
    do()
""",
}
OURS = {"a.py", "b.py"}


class TraceTests(TestCase):
    def setUp(self) -> None:
        self.made: dict[str, Callable[[], object]] = {}
        for file, source in FILES.items():
            exec(compile(source, file, "exec"), self.made)  # noqa: S102 - made up above

    def trace(self, function: str) -> Trace:
        return trace(self.made[function], OURS.__contains__)

    def counts(self, traced: Trace) -> tuple[int, int, int, int]:
        return len(traced.files), len(traced.functions), traced.calls, traced.changes

    def test_calls_and_changes_of_file(self) -> None:
        # a: start; b: step, own; a: here; b: step, own, numbers three times; a: the end of start
        self.assertEqual(self.counts(self.trace("start")), (2, 5, 9, 5))

    def test_a_new_thread_is_followed_and_has_changes_of_its_own(self) -> None:
        traced = self.trace("in_a_thread")
        self.assertEqual(self.counts(traced), (2, 3, 3, 2))
        self.assertEqual(len(traced.events), 2)

    def test_flows_together_are_files_as_a_union_and_the_sum_of_calls(self) -> None:
        together = self.trace("start") | self.trace("step")
        self.assertEqual(self.counts(together), (2, 5, 9 + 2, 5 + 1))

    def test_whatever_becomes_of_it_the_hook_is_gone(self) -> None:
        before = sys.getprofile()
        with self.assertRaises(ValueError):
            self.trace("fail")
        self.assertEqual(sys.getprofile(), before)

    def test_what_is_the_product(self) -> None:
        for file, counts in {
            "associations/linking/views.py": True,
            "hubadmin/web/middleware.py": True,
            "hubadmin/settings.py": False,
            "hubadmin/demo/sandbox/server.py": False,
            "tests/support.py": False,
            ".venv/lib/associations.py": False,
        }.items():
            self.assertEqual(is_product(str(ROOT / file)), counts, file)
        self.assertFalse(is_product("<frozen importlib._bootstrap>"))
