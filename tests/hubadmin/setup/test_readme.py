"""hubadmin/deploy/README.md: ten lines that nobody has to edit, and what setup asks and writes."""

import re
from unittest import TestCase

from django.conf import settings
from django.core.management import load_command_class

from hubadmin.setup.questions import ALL

README = (settings.BASE_DIR / "hubadmin" / "deploy" / "README.md").read_text(encoding="utf-8")


class ReadmeTests(TestCase):
    def test_ten_lines_in_the_right_order_and_nothing_to_edit(self) -> None:
        block = re.search(r"^```sh\n(.+?)^```", README, re.M | re.S)[1]
        self.assertLessEqual(len(block.splitlines()), 10)
        self.assertNotRegex(block, r"nano|vi |EDITOR|…")
        order = ("sysusers", "manage.py setup\n", "setup --roles", "manage.py migrate && roles")
        order = (*order, "setup --units", "systemctl enable", "setup --nginx", "manage.py doctor")
        places = [block.index(each) for each in order]
        self.assertEqual(places, sorted(places))

    def test_each_flag_exists(self) -> None:
        parser = load_command_class("hubadmin", "setup").create_parser("manage.py", "setup")
        known = {flag for action in parser._actions for flag in action.option_strings}
        named = {
            *re.findall(r"(?<=[\s`])--[a-z][\w-]+", re.sub(r"```sh.+?```", "", README, flags=re.S))
        }
        named |= {*re.findall(r"setup (--[\w-]+)", README)}
        self.assertLessEqual({"--roles", "--units", "--nginx", "--dir", "--database-url"}, named)
        self.assertLessEqual(named - {"--now"}, known)  # that one is systemctl's

    def test_the_table_names_each_question_with_its_default(self) -> None:
        rows = re.findall(r"^\| (`[A-Z_`, ]+`) \|(.*?)\|", README, re.M)
        told = {name: default for names, default in rows for name in re.findall(r"\w+", names)}
        self.assertEqual({*told}, {*ALL})
        for name, default in told.items():
            if name != "SSO_ISSUER":  # which has one in a single mode
                self.assertEqual(default.strip("` "), ALL[name].default, name)
