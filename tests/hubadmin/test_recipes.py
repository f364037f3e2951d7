"""The recipes of associations/README.md: what they name exists, and what there is follows them."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

from django.conf import settings
from django.test import SimpleTestCase, tag
from django.utils import translation

from associations.audit.integrity import candidates, chain_verification
from associations.audit.integrity.serialization import KINDS, OWNERS
from associations.audit.integrity.triggers import expected
from associations.bulk import backoff
from associations.gateway.object_types import standard_choices
from associations.hubspot.object_types import CATALOGUE
from associations.hubspot.outcomes import OF_UNDO, VERDICTS, Cause
from associations.hubspot.scopes import scopes_for
from associations.models import AssociationRequest, AuditExport
from associations.texts.labels import WORDS
from associations.texts.outcomes import explain
from associations.texts.remedies import REMEDIES
from associations.urls import urlpatterns
from tests.associations.audit import test_only_writer
from tests.associations.audit.integrity import test_replacing, test_triggers
from tests.associations.texts.test_outcomes import entry
from tests.hubadmin.catalogue import messages_of
from tests.hubadmin.test_settings import calls, variables

ROOT = settings.BASE_DIR
README = ROOT / "associations" / "README.md"
LOCALE = ROOT / "associations" / "locale"
RECIPES = {"cause", "setting", "object type", "page", "language", "kind of sealed item"}

_RECIPE = re.compile(r"^### An? ([a-z ]+)\n(.*?)(?=^##|\Z)", re.M | re.S)
_DIFF = re.compile(r"^```diff\n(.*?)^```$", re.M | re.S)
_SPAN = re.compile(r"`([^`]+)`")
_FILE = re.compile(r"[\w./-]*\.(?:py|html|md|po|example|mo)|[\w./-]+/")
_IN_FILE = re.compile(r"`([\w./-]+\.py)`:((?:,?\s+`\w+(?:\(\))?`)+)")


def recipes() -> dict[str, str]:
    text = README.read_text(encoding="utf-8").split("\n## How to add something\n")[1]
    return dict(_RECIPE.findall(text.split("\n## ")[0]))


def path_of(name: str) -> Path:
    """The file of that name, seen from the application or from the top."""
    beside = README.parent / name
    return beside if beside.exists() else ROOT / name


def changes(recipe: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each file that the recipe's diff names: what stands there already, and what is added."""
    for diff in _DIFF.findall(recipe):
        for part in re.split(r"^--- ", diff, flags=re.M)[1:]:
            name, *lines = part.splitlines()
            yield (
                name,
                [line[1:] for line in lines if line.startswith((" ", "-"))],
                [line[1:] for line in lines if line.startswith("+")],
            )


@cache
def names_in(path: Path) -> set[str]:
    """The functions, classes and constants of a module, and the tests of its classes."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


class RecipeTests(SimpleTestCase):
    def test_there_is_one_for_whatever_is_added_often(self) -> None:
        self.assertEqual({*recipes()}, RECIPES)

    def test_every_file_that_one_names_exists(self) -> None:
        for kind, recipe in recipes().items():
            spans = {each for each in _SPAN.findall(recipe) if _FILE.fullmatch(each)}
            for name in spans:
                with self.subTest(kind, name=name):
                    self.assertTrue(path_of(name).exists())

    def test_what_a_diff_starts_from_stands_there(self) -> None:
        for kind, recipe in recipes().items():
            found = [*changes(recipe)]
            self.assertGreater(len(found), 1)
            for name, standing, added in found:
                with self.subTest(kind, name=name):
                    self.assertTrue(added)
                    path = ROOT / name.replace("/de/", "/ja/")  # of the new language as of this one
                    self.assertTrue(path.exists() or (path.parent.is_dir() and not standing))
                    lines = path.read_text("utf-8").splitlines() if standing else []
                    self.assertEqual([line for line in standing if line not in lines], [])

    def test_every_function_constant_and_test_stands_in_its_file(self) -> None:
        for kind, recipe in recipes().items():
            named = _IN_FILE.findall(recipe)
            self.assertGreater(len(named), 1, kind)
            for name, spans in named:
                for each in re.findall(r"`(\w+)", spans):
                    with self.subTest(kind, name=name, each=each):
                        self.assertIn(each, names_in(path_of(name)))


class CauseTests(SimpleTestCase):
    """Each cause stands wherever the recipe says."""

    # What a run does about each: it goes on with the next row, tries again, waits, or pauses.
    GOES_ON = {
        *(Cause.CONFIRMED, Cause.IN_PROGRESS, Cause.NOT_SHOWN, Cause.PARTLY_FAILED),
        *(Cause.UNKNOWN_STATUS, Cause.UNREADABLE, Cause.CANCELED_BY_HUBSPOT, Cause.REFUSED),
        *(Cause.UNKNOWN_OBJECT_TYPE, Cause.RECORD_NOT_FOUND, Cause.NO_DEFAULT_TYPE),
        *(Cause.ASSOCIATION_LIMIT, Cause.SAME_RECORD, Cause.FORBIDDEN, Cause.HUBSPOT_ERROR),
        *(Cause.INTERRUPTED, Cause.NOT_SENT),
        *OF_UNDO,
    }
    TRIES_AGAIN = {Cause.HUBSPOT_DOWN, Cause.TIMED_OUT, Cause.CONNECTION_LOST, Cause.NO_CONNECTION}
    WAITS = {Cause.RATE_LIMITED, Cause.DAILY_LIMIT, Cause.MIGRATING, Cause.LOCKED}
    PAUSES = {Cause.TOKEN_REFUSED, Cause.SCOPE_MISSING, Cause.REDIRECTED, Cause.ACCESS_ENDED}

    def test_each_has_its_verdict_its_word_and_its_sentence_in_every_language(self) -> None:
        self.assertEqual([{*VERDICTS}, {*REMEDIES}], [{*Cause}, {*Cause}])
        self.assertLessEqual({*Cause}, {*WORDS})
        for cause in Cause:
            told = set()
            for language, _ in settings.LANGUAGES:
                with translation.override(language):
                    told.add(explain(entry(cause)).sentence)
            with self.subTest(cause):
                self.assertEqual(len(told), len(settings.LANGUAGES))

    def test_something_brings_each_about(self) -> None:
        """It is named where an answer, a failure or a crash is read, not only in the tables."""
        makers = [
            *(ROOT / "associations/hubspot").glob("*.py"),
            *(ROOT / "associations/audit/recorder").glob("*.py"),
            ROOT / "associations/linking/undo.py",
        ]
        sources = "".join(p.read_text("utf-8") for p in makers if p.name != "outcomes.py")
        named = {*re.findall(r"\bCause\.([A-Z_]+)", sources)}
        self.assertEqual(named, {cause.name for cause in Cause})

    def test_what_a_run_does_about_each_was_decided(self) -> None:
        decided = [self.GOES_ON, self.TRIES_AGAIN, self.WAITS, self.PAUSES]
        self.assertEqual(Counter(cause for each in decided for cause in each), Counter(Cause))
        self.assertEqual({c for c in Cause if backoff.is_about_rows(c)}, self.GOES_ON)
        self.assertEqual((backoff.SILENCE, backoff.STOPS), (self.TRIES_AGAIN, self.PAUSES))


@tag("long")
class SettingTests(SimpleTestCase):
    """Each setting stands wherever the recipe says; the tables are held by test_settings.py."""

    # gunicorn itself refuses what would be wrong.
    WITHOUT_CHECK = {"WEB_WORKERS", "WEB_THREADS"}

    def test_something_reads_each(self) -> None:
        paths = [p for d in ("associations", "hubadmin") for p in (ROOT / d).glob("**/*.py")]
        sources = [path.read_text("utf-8") for path in paths if path.name != "checks.py"]
        for name in variables() - {"ENV_FILE", "DATABASE_URL"}:
            with self.subTest(name):
                # once as the setting, once as the variable, and then where it is of use
                found = sum(len(re.findall(rf"\b{name}\b", source)) for source in sources)
                self.assertGreater(found, 2)

    def test_a_check_bounds_each_number(self) -> None:
        checks = "".join(p.read_text("utf-8") for p in ROOT.glob("*/**/checks.py"))
        numbers = calls(lambda function: getattr(function, "id", "") == "number")
        unbound = {name for name in numbers if not re.search(rf"\b{name}\b", checks)}
        self.assertEqual(unbound, self.WITHOUT_CHECK)


class ObjectTypeTests(SimpleTestCase):
    """Each of HubSpot's types stands wherever the recipe says."""

    def test_each_has_its_labels_in_every_catalogue(self) -> None:
        for catalogue in LOCALE.glob("*/LC_MESSAGES/django.po"):
            messages = {message.id for message in messages_of(catalogue)}
            labels = {label for each in CATALOGUE for label in (each.label, each.plural)}
            self.assertEqual(labels - messages, set())

    def test_each_is_on_offer_needs_scopes_and_is_in_the_sandbox(self) -> None:
        offered = {choice.object_type for choice in standard_choices()}
        for each in CATALOGUE:
            with self.subTest(each.label):
                self.assertIn(each, offered)
                self.assertEqual(len(scopes_for({each.canonical})), 2)


class PageTests(SimpleTestCase):
    """Each page stands wherever the recipe says; who may see it is held by test_access.py."""

    # Parts of pages, files, and what leads back to a page.
    NO_PAGE = {
        *("link_find", "link_preview", "link_latest", "request_check", "request_records"),
        "request_bundle",
        *("bulk_template", "bulk_template_workbook"),
        *("bulk_progress", "bulk_bad_rows", "bulk_results"),
        *("bulk_start", "bulk_pause", "bulk_go_on", "bulk_cancel", "bulk_discard", "bulk_retry"),
        *("bulk_undo", "bulk_ask", "bulk_withdraw", "bulk_approve", "bulk_refuse"),
        *("export", "event_export", "seals"),
        "changed_again",
        "metrics",
    }
    # Pages that the browser comes to by what it does.
    BY_A_CLICK = {"request", "together", "bulk_run", "changed_alike"}

    def test_the_browser_sees_each(self) -> None:
        states = (ROOT / "tests/browser/states.py").read_text(encoding="utf-8")
        names = {route.name for route in urlpatterns}
        self.assertLessEqual(self.NO_PAGE | self.BY_A_CLICK, names)
        for route in urlpatterns:
            if route.name not in self.NO_PAGE | self.BY_A_CLICK:
                with self.subTest(route.name):
                    self.assertIn(f'"/{str(route.pattern).partition("<")[0]}', states)


class LanguageTests(SimpleTestCase):
    """Each language stands wherever the recipe says."""

    def test_each_has_its_formats_and_but_for_english_a_whole_catalogue(self) -> None:
        catalogues = {}
        for language, _ in settings.LANGUAGES:
            with self.subTest(language):
                formats = import_module(f"hubadmin.formats.{language}.formats")
                self.assertTrue(formats.DATETIME_FORMAT)
                if language != settings.LANGUAGE_CODE:
                    folder = LOCALE / language / "LC_MESSAGES"
                    self.assertTrue((folder / "django.mo").exists())
                    messages = messages_of(folder / "django.po")
                    self.assertTrue(all(all(each.texts.values()) for each in messages))
                    catalogues[language] = {message.key for message in messages}
        self.assertEqual({*catalogues}, {path.name for path in LOCALE.iterdir() if path.is_dir()})
        self.assertEqual(len({frozenset(keys) for keys in catalogues.values()}), 1)


class SealedItemTests(SimpleTestCase):
    """Each kind of sealed item stands wherever the recipe says."""

    def test_each_can_be_sealed_and_called_by_a_name(self) -> None:
        for table in (candidates.SEALABLE, candidates.NEVER_SEALED, chain_verification.NAMES):
            self.assertEqual({*table}, {*KINDS})

    def test_what_belongs_to_an_entry_goes_with_it(self) -> None:
        """By OWNERS it is exported, and holds back the pruning of its entry."""
        keys = {
            kind: field.attname
            for kind, model in KINDS.items()
            for field in model._meta.concrete_fields
            # An undo outlives the entry that it names.
            if field.related_model is AssociationRequest is not model
        }
        self.assertEqual(OWNERS, keys)

    def test_each_is_guarded_by_every_trigger(self) -> None:
        guards = {
            "sqlite": [{"fixed", "closed"}, {"kept"}, {"replace"}, {"number"}],
            "postgresql": [{"fixed", "closed"}, {"kept"}, {"whole"}],
        }
        for vendor, wanted in guards.items():
            found = {(each.table, each.name.rpartition("_")[2]) for each in expected(vendor)}
            for kind, model in KINDS.items():
                for names in wanted:
                    with self.subTest(kind, vendor=vendor, trigger=names):
                        table = model._meta.db_table
                        self.assertTrue(any((table, name) in found for name in names))

    def test_the_tests_that_list_tables_list_each(self) -> None:
        inserted = {model for model, _ in test_replacing.INSERTS}
        self.assertLessEqual({*KINDS.values()}, inserted)
        changing = {AssociationRequest, AuditExport}  # until they are closed
        self.assertLessEqual({*KINDS.values()} - changing, {*test_triggers.FIXED})
        # These are written by the owner of the tables, who lifts the triggers for it.
        by_the_owner = {"AuditPruning", "AuditErasure"}
        written = {model.__name__ for model in KINDS.values()} - by_the_owner
        self.assertEqual(written, test_only_writer.LOG)

    def test_the_format_names_each(self) -> None:
        readme = (ROOT / "associations/audit/integrity/README.md").read_text(encoding="utf-8")
        text = readme.split("## The format")[1].split("\n## ")[0]
        self.assertLessEqual({*KINDS}, {*re.findall(r"`(\w+)`", text)})
