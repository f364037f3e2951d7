"""What is locked is what is required, all of it, and nothing else is fetched from anywhere else."""

import re
import unittest
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from django.conf import settings
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = settings.BASE_DIR
LOCKS = {
    ROOT / "requirements.txt": ROOT / "hubadmin/requirements.lock",
    ROOT / "tests/requirements.txt": ROOT / "tests/requirements.lock",
}
RENEW = "write the locks anew: .ci/lock"
_RELEASE = re.compile(
    r"^([a-z0-9-]+)==([\w.]+)(?: ; (.+?))? \\\n"
    r"((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)"
    r"(?:    # .*\n)*",
    re.M,
)


def locked(lock: Path) -> dict[str, tuple[str, str]]:
    """The releases of a lock: their versions and markers, by name."""
    return {name: (version, marker) for name, version, marker, _ in _RELEASE.findall(_text(lock))}


def required(file: Path) -> list[Requirement]:
    lines = [line.partition("#")[0].strip() for line in _text(file).splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("-r ")]


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


class LockTests(unittest.TestCase):
    def test_each_requirement_is_locked_at_its_version(self) -> None:
        for file, lock in LOCKS.items():
            releases = locked(lock)
            for each in required(file):
                with self.subTest(str(each)):
                    version, marker = releases.get(canonicalize_name(each.name), ("", ""))
                    self.assertEqual((f"=={version}", marker), (str(each.specifier), ""), RENEW)

    def test_so_is_all_that_they_pull_in(self) -> None:
        for lock in LOCKS.values():
            releases = locked(lock)
            for name, (_, marker) in releases.items():
                if marker and not Marker(marker).evaluate():
                    continue
                for needed in self.needed_by(name):
                    with self.subTest(lock=lock.parent.name, name=name, needed=needed):
                        self.assertIn(needed, releases, RENEW)

    def needed_by(self, name: str) -> list[str]:
        try:
            found = map(Requirement, requires(name) or [])
        except PackageNotFoundError:
            raise AssertionError(f"{name} is locked, but not installed") from None
        here = {"extra": ""}
        return [
            canonicalize_name(each.name)
            for each in found
            if not each.marker or each.marker.evaluate(here)
        ]

    def test_both_locks_agree(self) -> None:
        serving, testing = (
            {name: version for name, (version, _) in locked(lock).items()}
            for lock in LOCKS.values()
        )
        self.assertLess(serving.items(), testing.items())

    def test_a_lock_holds_releases_with_hashes_and_nothing_else(self) -> None:
        """No address of a registry, no option: where to fetch from is for the machine to say."""
        for lock in LOCKS.values():
            rest = re.sub(r"^#.*\n", "", _RELEASE.sub("", _text(lock)), flags=re.M)
            self.assertEqual((rest, "://" in _text(lock)), ("", False), lock)

    def test_what_extras_bring_is_locked(self) -> None:
        self.assertIn("psycopg-binary", locked(LOCKS[ROOT / "requirements.txt"]))
