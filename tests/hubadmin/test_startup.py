"""Which version runs, and which commit: by git's files, without git; and who ends with whom."""

import platform
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from django.conf import settings
from django.test import SimpleTestCase

from hubadmin import __version__, startup

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class CommitTests(SimpleTestCase):
    def setUp(self) -> None:
        self.tree = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def commit(self, **files: str) -> str:
        for name, text in files.items():
            file = (
                self.tree / ".git" / name.replace("__", "/").replace("packed_refs", "packed-refs")
            )
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return startup.commit_of(self.tree)

    def test_where_there_is_no_git_it_is_not_known(self) -> None:
        self.assertEqual(self.commit(), "")
        (self.tree / ".git").write_text("gitdir: elsewhere")
        self.assertEqual(startup.commit_of(self.tree), "")

    def test_a_branch_a_packed_one_and_none(self) -> None:
        head = "ref: refs/heads/main\n"
        self.assertEqual(self.commit(HEAD=head), "")
        packed = f"# pack-refs\n{'f' * 40} refs/heads/other\n{COMMIT} refs/heads/main\n"
        self.assertEqual(self.commit(packed_refs=packed), COMMIT)
        self.assertEqual(self.commit(refs__heads__main=f"{'a' * 40}\n"), "a" * 40)
        self.assertEqual(self.commit(HEAD=f"{COMMIT}\n"), COMMIT)

    def test_what_is_no_commit_is_not_told(self) -> None:
        for text in ("", "../../etc/passwd", "ref: ../../../etc/hostname", "x" * 40):
            self.assertEqual(self.commit(HEAD=text), "", text)

    def test_of_this_process(self) -> None:
        self.assertEqual(startup.VERSION["version"], __version__)
        self.assertEqual(startup.COMMIT, startup.commit_of(settings.BASE_DIR))


ORPHAN = """
import os, time
from hubadmin.startup import end_with_parent
parent = os.getpid()
if os.fork():
    os._exit(0)
while os.getppid() == parent:
    time.sleep(0.01)
end_with_parent(parent=parent)
print("it goes on")
"""


@unittest.skipUnless(sys.platform == "linux", "only Linux ends a process with its parent")
class OrphanTests(unittest.TestCase):
    def test_one_whose_parent_has_died_before_it_asked_ends(self) -> None:
        command = [sys.executable, "-c", ORPHAN]
        ended = subprocess.run(
            command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=60
        )
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (0, "", ""))


# How many pieces the system gave one by one (mallinfo's fourth number), of twenty of 200 KiB that
# are there, after a large one has gone: glibc then learns to take these from a heap.
PIECES = """
import ctypes, sys
from hubadmin.startup import give_memory_back
class Told(ctypes.Structure):
    _fields_ = [("numbers", ctypes.c_int * 10)]
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes, libc.mallinfo.restype = [ctypes.c_void_p], Told
if sys.argv[1:]:
    give_memory_back()
libc.free(libc.malloc(20 << 20))
before = libc.mallinfo().numbers[3]
for _ in range(20):
    libc.malloc(200 << 10)
print(libc.mallinfo().numbers[3] - before)
"""


@unittest.skipUnless(platform.libc_ver()[0] == "glibc", "another C library has other ways")
class MemoryTests(unittest.TestCase):
    def pieces(self, *arguments: str) -> int:
        command = [sys.executable, "-c", PIECES, *arguments]
        ended = subprocess.run(
            command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=60
        )
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        return int(ended.stdout)

    def test_what_is_large_goes_back_to_the_system_when_it_is_freed(self) -> None:
        self.assertEqual((self.pieces(), self.pieces("given back")), (0, 20))
