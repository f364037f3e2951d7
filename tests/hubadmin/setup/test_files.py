"""Files of settings as setup writes them: for one account, never over what stands there."""

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from hubadmin.setup import files
from hubadmin.setup.files import SettingsFile

VALUES = ("s@/#?:%x $1'\\\"é", "'x'", '"x"', '"', "'", '"\\n\\', "a=b #c", "$HOME", "\\t")


class SettingsFileTests(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.path = self.folder / "web.env"

    def mode(self) -> int:
        return self.path.stat().st_mode & 0o777

    def test_what_is_written_is_read_again_whatever_it_is(self) -> None:
        values = {f"V{number}": value for number, value in enumerate(VALUES)}
        SettingsFile(self.path).add(values)
        self.assertEqual(SettingsFile(self.path).lines, values)

    def test_what_compose_would_change_stands_between_single_quotes(self) -> None:
        values = {"A": "p$w", "B": "p w #1", "C": "plain", "D": "$it's"}
        SettingsFile(self.path).add(values)
        self.assertEqual(self.path.read_text(), "A='p$w'\nB='p w #1'\nC=plain\nD=$it's\n")

    def test_what_stands_there_stays_to_the_letter(self) -> None:
        before = "# mine\nexport A='1'\n\nB=\nnot a line"
        self.path.write_text(before)
        with self.assertLogs("environ"):
            written = SettingsFile(self.path).add({"A": "2", "B": "3", "C": "4", "D": ""})
            self.assertEqual(written, ["B", "C"])
            self.assertEqual(SettingsFile(self.path).lines, {"A": "1", "B": "3", "C": "4"})
        self.assertEqual(self.path.read_text(), f"{before}\nB=3\nC=4\n")

    def test_a_link_stays_one(self) -> None:
        (self.folder / "elsewhere").touch()
        self.path.symlink_to("elsewhere")
        SettingsFile(self.path).add({"A": "1"})
        self.assertTrue(self.path.is_symlink())
        self.assertEqual((self.folder / "elsewhere").read_text(), "A=1\n")

    def test_it_is_for_one_account_before_it_holds_anything(self) -> None:
        self.addCleanup(os.umask, os.umask(0))
        seen = list[tuple[int, int]]()

        def look(path: int) -> None:
            state = os.fstat(path)
            seen.append((state.st_mode & 0o777, state.st_size))

        with mock.patch.object(files.os, "fsync", look):
            SettingsFile(self.path).add({"A": "1"})
        self.assertEqual((seen, self.mode()), ([(0o600, 4)], 0o600))
        self.assertEqual([*self.folder.iterdir()], [self.path])

    def test_nothing_is_left_half_written(self) -> None:
        full = mock.patch.object(files.os, "fsync", side_effect=OSError("full"))
        with full, self.assertRaises(OSError):
            SettingsFile(self.path).add({"A": "1"})
        self.assertEqual([*self.folder.iterdir()], [])

    @unittest.skipUnless(os.geteuid() == 0, "only root gives a file to others")
    def test_roots_files_may_be_read_by_the_group_of_their_service(self) -> None:
        SettingsFile(self.path, "daemon").add({"A": "1"})
        state = self.path.stat()
        owner = state.st_uid, state.st_gid, self.mode()
        self.assertEqual(owner, (0, files.group_id("daemon"), 0o640))
        self.path.unlink()
        SettingsFile(self.path, "no-such-group").add({"A": "1"})
        self.assertEqual(self.mode(), 0o600)
