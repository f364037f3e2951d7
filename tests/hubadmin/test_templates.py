"""The templates' files: short lines, and none that nobody uses."""

import re
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.test import SimpleTestCase

TEMPLATES = settings.BASE_DIR / "templates"
PRODUCT = [settings.BASE_DIR / name for name in ("associations", "hubadmin")]
LONGEST = 160
# What a view renders, and what a template includes or extends; comments name templates, too.
NAME = re.compile(r"""["']([\w/]+\.html)["']""")
COMMENT = re.compile(r"\{#.*?#\}|\{% comment.*?endcomment %\}", re.DOTALL)


def templates() -> dict[str, str]:
    """Every template's name and source."""
    paths = TEMPLATES.rglob("*.html")
    return {str(path.relative_to(TEMPLATES)): path.read_text(encoding="utf-8") for path in paths}


def modules() -> Iterator[Path]:
    return (path for folder in PRODUCT for path in folder.rglob("*.py"))


def used(sources: dict[str, str]) -> set[str]:
    """Return the templates that a module renders, and all that those include or extend."""
    asked = {name for path in modules() for name in NAME.findall(path.read_text(encoding="utf-8"))}
    found: set[str] = set()
    while asked:
        found |= asked
        texts = (COMMENT.sub("", sources.get(name, "")) for name in asked)
        asked = {name for text in texts for name in NAME.findall(text)} - found
    return found


class TemplateTests(SimpleTestCase):
    def test_no_line_is_longer_than_one_can_read(self) -> None:
        too_long = [
            f"{name}:{number}"
            for name, text in templates().items()
            for number, line in enumerate(text.splitlines(), 1)
            if len(line) > LONGEST
        ]
        self.assertEqual(too_long, [])

    def test_each_is_used_and_each_that_is_used_is_there(self) -> None:
        sources = templates()
        self.assertGreater(len(sources), 40)
        self.assertEqual(used(sources), set(sources))

    def test_what_is_only_named_in_a_comment_or_by_itself_is_not_used(self) -> None:
        extra = {"lost.html": "{% include 'lost.html' %}", "left.html": "{% extends 'base.html' %}"}
        sources = templates()
        sources["base.html"] += "{# {% include 'left.html' %} #}"
        self.assertFalse(used(sources | extra) & set(extra))
