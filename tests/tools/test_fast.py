"""`.ci/fast` leaves out nothing but what tests/README.md says that it does."""

import re
import subprocess
from pathlib import Path
from unittest import TestCase

TESTS = Path(__file__).parents[1]
FAST = TESTS.parent / ".ci" / "fast"


def listed(*room: str) -> set[str]:
    """The modules that it would run, seen from tests/."""
    ended = subprocess.run(
        [FAST, "--list", *room], capture_output=True, text=True, check=True, timeout=60
    )
    return {line.removeprefix("tests/") for line in ended.stdout.splitlines()}


def there() -> set[str]:
    found = {path.relative_to(TESTS).as_posix() for path in TESTS.glob("**/test*.py")}
    return {path for path in found if "node_modules" not in path}


def left_out() -> set[str]:
    """What the README says is left out: modules, and folders."""
    text = (TESTS / "README.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"^It leaves out (.*?)\n\n", text, re.M | re.S)
    return {name for name in re.findall(r"`([^`]+)`", said) if name.endswith((".py", "/"))}


class FastTests(TestCase):
    def test_what_it_leaves_out_is_what_the_readme_says(self) -> None:
        missing = there() - listed()
        self.assertGreater(len(there()), 100)
        self.assertEqual({each for each in missing if not each.startswith((*left_out(),))}, set())
        for name in left_out():
            with self.subTest(name):
                self.assertTrue(any(each.startswith(name) for each in missing))
                self.assertFalse(any(each.startswith(name) for each in listed()))

    def test_of_a_room_it_runs_all(self) -> None:
        for room in ("linking", "integrity", "sso"):
            with self.subTest(room):
                modules = {each for each in there() if f"/{room}/" in each}
                self.assertTrue(modules)
                self.assertEqual(listed(room), modules)

    def test_a_room_that_there_is_not_is_refused(self) -> None:
        ended = subprocess.run([FAST, "linkin"], capture_output=True, text=True, timeout=60)
        self.assertEqual((ended.returncode, ended.stdout), (1, ""))
        self.assertIn("linkin", ended.stderr)
