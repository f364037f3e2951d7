"""The READMEs lead somewhere: their links, the files and functions they name, their commands."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from unittest import TestCase

from django.conf import settings
from django.core.management import get_commands

ROOT = settings.BASE_DIR
README = ROOT / "README.md"
READMES = [
    README,
    *(p for d in ("associations", "hubadmin", "tests") for p in ROOT.glob(f"{d}/**/README.md")),
]
READMES = [path for path in READMES if "node_modules" not in path.parts]
PO = ROOT / "associations/locale/ja/LC_MESSAGES/django.po"

_FENCED = re.compile(r"^```.*?^```\n", re.M | re.S)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`]+)`")
_FILE = re.compile(r"[\w.-]+(/[\w.-]+)*(\.(py|md|html|js|css|po|png|ini|txt|toml)|/)|\.\w+/\w+")
_FUNCTION = re.compile(r"`([\w/.]+\.py)`:\s`(\w+)\(\)`")
_MODULE = re.compile(r"python -m ([\w.]+)")
_COMMAND = re.compile(r"manage\.py\s(\w+)")
_GLOSSARY = re.compile(r"^\| [a-z ]+ \| ([^|\x00-\x7f]+) \|", re.M)
_CLASS = re.compile(r"`([A-Z]\w*[a-z]\w*)[.`]")


def prose(path: Path) -> str:
    return _FENCED.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """What the headings of a README are called in an address."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.M)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def links(path: Path) -> Iterator[tuple[Path, str]]:
    for address in _LINK.findall(prose(path)):
        if ":" not in address:
            file, _, anchor = address.partition("#")
            yield (path.parent / file).resolve() if file else path, anchor


def files_named(path: Path) -> set[str]:
    """The files and folders that stand in backticks, and what `python -m` runs."""
    text = path.read_text(encoding="utf-8")
    spans = {span for span in _SPAN.findall(prose(path)) if _FILE.fullmatch(span)}
    modules = {each for each in _MODULE.findall(text) if each.startswith("tests.")}
    return spans | {f"{each.replace('.', '/')}.py" for each in modules}


def found(name: str, beside: Path) -> Path | None:
    """The file of that name, seen from the README's folder or from the top."""
    places = (beside.parent / name, ROOT / name)
    return next((place for place in places if place.exists()), None)


@cache
def defined_in(path: Path) -> set[str]:
    kinds = (ast.FunctionDef, ast.ClassDef)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


class ReadmeTests(TestCase):
    def test_every_link_leads_somewhere(self) -> None:
        broken = [
            f"{path.relative_to(ROOT)}: {target.relative_to(ROOT)}#{anchor}"
            for path in READMES
            for target, anchor in links(path)
            if not target.exists() or (anchor and anchor not in anchors(target))
        ]
        self.assertGreater(sum(len([*links(path)]) for path in READMES), 40)
        self.assertEqual(broken, [])

    def test_the_first_leads_to_every_other(self) -> None:
        reached, new = set(), {README}
        while new:
            reached |= new
            new = {t for path in new for t, _ in links(path) if t.suffix == ".md"} - reached
        self.assertEqual(sorted(reached), sorted(READMES))

    def test_every_file_that_is_named_exists(self) -> None:
        self.assertIn("linking/services.py", files_named(ROOT / "associations/README.md"))
        missing = [
            f"{path.relative_to(ROOT)}: {name}"
            for path in READMES
            for name in files_named(path)
            if not found(name, path)
        ]
        self.assertEqual(missing, [])

    def test_every_function_is_where_it_is_said_to_be(self) -> None:
        named = [(path, *pair) for path in READMES for pair in _FUNCTION.findall(prose(path))]
        self.assertGreater(len(named), 15)
        for path, file, function in named:
            with self.subTest(f"{path.relative_to(ROOT)}: {file} {function}"):
                self.assertIn(function, defined_in(found(file, path)))

    def test_every_function_that_is_named_exists(self) -> None:
        sources = [p for d in ("associations", "hubadmin") for p in (ROOT / d).glob("**/*.py")]
        defined = set().union(*map(defined_in, sources))
        named = {name for path in READMES for name in re.findall(r"`(\w+)\(\)`", prose(path))}
        self.assertEqual(named - defined, set())

    def test_every_command_exists(self) -> None:
        known = get_commands()
        for path in READMES:
            for name in _COMMAND.findall(path.read_text(encoding="utf-8")):
                with self.subTest(f"{path.relative_to(ROOT)}: {name}"):
                    self.assertIn(name, known)


class GlossaryTests(TestCase):
    def setUp(self) -> None:
        text = prose(ROOT / "associations/README.md")
        self.glossary = text.split("## Glossary")[1].split("\n## ")[0]

    def test_its_japanese_words_are_the_catalogues(self) -> None:
        translated = "".join(re.findall(r'^(?:msgstr.*? )?"(.*)"$', PO.read_text("utf-8"), re.M))
        words = _GLOSSARY.findall(self.glossary)
        self.assertGreater(len(words), 10)
        self.assertEqual([word for word in words if word not in translated], [])

    def test_its_classes_are_the_codes(self) -> None:
        sources = [
            p for d in ("models", "hubspot") for p in (ROOT / "associations" / d).glob("*.py")
        ]
        defined = set().union(*map(defined_in, sources))
        self.assertEqual(set(_CLASS.findall(self.glossary)) - defined, set())
