"""What is typed on a bare Debian is what README says, and nothing is made up for it."""

import tempfile
from pathlib import Path
from unittest import TestCase

from tests.tools.bare.recipe import Command, commands

VALUES = {"OWNER_PASSWORD": "a", "PASSWORD": "b", "--token": "c"}


class RecipeTests(TestCase):
    def read(self, *blocks: str, number: int = 0) -> list[Command]:
        readme = Path(self.enterContext(tempfile.TemporaryDirectory())) / "README.md"
        readme.write_text("Text.\n\n" + "\n".join(f"```sh\n{each}```\n" for each in blocks))
        return commands(readme, VALUES, number)

    def test_each_line_is_a_command(self) -> None:
        typed = self.read("# As root\ncd /opt\n\ngit clone a b && cd b\n", "ls\n")
        self.assertEqual([each.text for each in typed], ["cd /opt", "git clone a b && cd b"])
        self.assertEqual([each.parts for each in typed], [1, 2])

    def test_another_block(self) -> None:
        self.assertEqual([each.text for each in self.read("cd\n", "ls\n", number=1)], ["ls"])

    def test_what_the_shell_takes_for_one_is_one(self) -> None:
        for text in ("cat >a <<'END'\none\nEND\n", "ls \\\n  -l\n", "roles() {\n  psql\n}\n"):
            with self.subTest(text):
                typed = self.read(f"{text}cd /opt\n")
                self.assertEqual([each.text for each in typed], [text.rstrip("\n"), "cd /opt"])

    def test_what_no_shell_takes_is_no_command(self) -> None:
        self.assertRaisesRegex(ValueError, "No shell", self.read, "if true; then\n")

    def test_what_is_left_open_is_filled_in_and_counted(self) -> None:
        (typed,) = self.read("OWNER_PASSWORD=… PASSWORD='…' setup --token …\n")
        self.assertEqual(typed.text, "OWNER_PASSWORD=a PASSWORD='b' setup --token c")
        self.assertEqual(typed.filled, ["OWNER_PASSWORD", "PASSWORD", "--token"])

    def test_what_nobody_knows_is_not_made_up(self) -> None:
        self.assertRaisesRegex(KeyError, "SECRET", self.read, "SECRET=… ls\n")

    def test_an_editor_is_noticed(self) -> None:
        typed = self.read("nano a.env\nls nanometres /usr/bin/vi\n(umask 077; $EDITOR b.env)\n")
        self.assertEqual([each.opens_editor for each in typed], [True, False, True])
