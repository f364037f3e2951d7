"""Who may import whom, read from the source of every module."""

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from unittest import TestCase

from django.test import tag

ROOT = Path(__file__).parents[2]
HUBSPOT = "associations.hubspot"
WEBHOOKS = "associations.notices.webhooks"
CLIENT, SANDBOX = f"{HUBSPOT}.client", "hubadmin.demo.sandbox"
COMMANDS = "hubadmin.management.commands"
SANDBOX_COMMAND = f"{COMMANDS}.hubspot_sandbox"
DEMO = ["hubadmin.demo", f"{COMMANDS}.demo", SANDBOX_COMMAND]
ASKS_PROVIDER = ["hubadmin.sso.oidc", "hubadmin.sso.gateway_token"]
ASKS_FOR_TIMES = "associations.audit.integrity.timestamp_authority"
VOCABULARY = [
    f"{HUBSPOT}.{name}" for name in ("object_types", "record_references", "outcomes", "unseen")
]
SHARED = [f"hubadmin.{name}" for name in ("web", "startup", "models", "receivers", "__version__")]

# The rooms of the application, from the ground up: each may know only those that stand before it.
LAYERS = [
    ["hubspot"],
    ["models"],
    ["gateway"],
    ["texts"],
    ["db", "form_fields"],
    ["audit"],
    ["finding"],
    ["linking"],
    ["sweep"],
    ["bulk"],
    ["status"],
    ["notices"],
    ["metrics"],
    ["urls"],
    ["checks", "context_processors", "management", "migrations", "templatetags"],
    ["apps"],
]


def within(name: str, *packages: str) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


def is_ours(name: str) -> bool:
    return within(name, "associations", "hubadmin", "tests")


# Each says of a module and of one name that it imports whether that breaks the rule.
RULES: dict[str, Callable[[str, str], bool]] = {
    "requests is for the client, what asks the identity provider, and webhooks": lambda m, n: (
        within(n, "requests") and m not in (CLIENT, WEBHOOKS) and not within(m, *ASKS_PROVIDER)
    ),
    "only the client, its transport and what asks for times import urllib3": lambda module, name: (
        within(name, "urllib3") and module not in (CLIENT, f"{HUBSPOT}.transport", ASKS_FOR_TIMES)
    ),
    "the HubSpot package knows nothing else of ours": lambda module, name: (
        within(module, HUBSPOT) and is_ours(name) and not within(name, HUBSPOT)
    ),
    "the HubSpot package knows no Django": lambda module, name: (
        within(module, HUBSPOT) and within(name, "django", "environ")
    ),
    "the sandbox never imports the client": lambda module, name: (
        within(module, SANDBOX) and within(name, CLIENT)
    ),
    "the sandbox's command knows only the sandbox": lambda module, name: (
        module == SANDBOX_COMMAND and is_ours(name) and not within(name, SANDBOX)
    ),
    "only its commands know the demo": lambda module, name: (
        within(name, "hubadmin.demo") and not within(module, *DEMO)
    ),
    "models and forms take only words from the HubSpot package": lambda module, name: (
        within(module, "associations.models", "associations.form_fields")
        and within(name, HUBSPOT)
        and not within(name, *VOCABULARY)
    ),
    "only hubadmin knows about SSO": lambda module, name: (
        within(module, "associations") and within(name, "hubadmin.sso")
    ),
    "hubadmin knows the application only in its demo": lambda module, name: (
        within(module, "hubadmin") and within(name, "associations") and not within(module, *DEMO)
    ),
    "of hubadmin the application knows a few things": lambda module, name: (
        within(module, "associations") and within(name, "hubadmin") and not within(name, *SHARED)
    ),
    "pages know no sign-in: it stands around them": lambda module, name: (
        within(module, "hubadmin.web") and within(name, "hubadmin.sso")
    ),
    "the product never imports tests": lambda module, name: within(name, "tests"),
}

# For each rule a module and a line that break it.
BREACHES = {
    "requests is for the client, what asks the identity provider, and webhooks": [
        ("associations.notices.sending", "import requests"),
        ("associations.linking.services", "import requests"),
        ("hubadmin.web.views", "def f():\n    from requests.adapters import HTTPAdapter"),
    ],
    "only the client, its transport and what asks for times import urllib3": [
        ("associations.hubspot.answers", "import urllib3.connection as c"),
    ],
    "the HubSpot package knows nothing else of ours": [
        ("associations.hubspot.answers", "from ..models import AssociationRequest"),
        ("associations.hubspot.answers", "from .. import linking"),
        ("associations.hubspot.client", "import hubadmin"),
    ],
    "the HubSpot package knows no Django": [
        ("associations.hubspot.answers", "from django.utils import timezone"),
    ],
    "the sandbox never imports the client": [
        ("hubadmin.demo.sandbox.server", "from associations.hubspot.client import OBJECT_PATHS"),
        ("hubadmin.demo.sandbox.server", "from associations.hubspot import client"),
    ],
    "the sandbox's command knows only the sandbox": [
        (SANDBOX_COMMAND, "from associations.hubspot.client import HubSpotClient"),
        (SANDBOX_COMMAND, "from associations import models"),
        (SANDBOX_COMMAND, "from hubadmin.demo import server"),
    ],
    "only its commands know the demo": [
        ("hubadmin.web.views", "from hubadmin.demo.sandbox import SANDBOX_TOKEN"),
        ("hubadmin.sso.users", "from ..demo import sign_in"),
        ("hubadmin.management.commands.people", "import hubadmin.demo.sandbox"),
        ("associations.status.token", "from hubadmin.demo.sandbox.portal import GRANTED"),
    ],
    "models and forms take only words from the HubSpot package": [
        ("associations.models", "from .hubspot.answers import Answer"),
        ("associations.models.requests", "from associations.hubspot.client import HubSpotClient"),
        ("associations.form_fields", "from .hubspot import client"),
        ("associations.form_fields", "from . import hubspot"),
    ],
    "only hubadmin knows about SSO": [
        ("associations.linking.services", "from hubadmin.sso.provisioning import provision"),
        ("associations.linking.views", "if TYPE_CHECKING:\n    from hubadmin import sso"),
    ],
    "hubadmin knows the application only in its demo": [
        ("hubadmin.checks", "from associations.models.bulk import Way"),
        ("hubadmin.web.views", "def f():\n    from associations.audit.integrity import triggers"),
        ("hubadmin.logging", "import associations.hubspot.sanitizing"),
        ("hubadmin.management.commands.people", "from associations import models"),
    ],
    "of hubadmin the application knows a few things": [
        ("associations.checks", "from hubadmin.checks import secret_key"),
        ("associations.bulk.views", "from hubadmin import settings"),
        ("associations.apps", "import hubadmin"),
    ],
    "pages know no sign-in: it stands around them": [
        ("hubadmin.web.middleware", "from hubadmin.sso import sessions"),
        ("hubadmin.web.drafts", "from ..sso import sessions"),
    ],
    "the product never imports tests": [
        ("hubadmin.demo.server", "from tests.support import person"),
    ],
}

# What Django, gunicorn or a stored session finds by its address may be as small as it likes.
FOUND_BY_ADDRESS = ("__init__", "apps", "formats", "middleware", "urls", "wsgi")
IN_PLACES_OF_DJANGO = ("management", "migrations", "templatetags")
STORED = {"hubadmin.sso.backend"}
SMALL = 25  # lines


def imports_of(package: str, source: str) -> Iterator[str]:
    """Each name that the source of a module in `package` imports, in full."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level]
            base = [*parents, node.module] if node.level else [node.module]
            yield from (".".join([*filter(None, base), alias.name]) for alias in node.names)


def modules() -> Iterator[tuple[str, str, str]]:
    """Each module of the product: its name, its package and its source."""
    for path in [*ROOT.glob("associations/**/*.py"), *ROOT.glob("hubadmin/**/*.py")]:
        parts = path.relative_to(ROOT).with_suffix("").parts
        package = ".".join(parts[:-1])
        module = package if parts[-1] == "__init__" else ".".join(parts)
        yield module, package, path.read_text(encoding="utf-8")


def room_of(name: str) -> str:
    """The room of the application that a name belongs to; empty for anything else."""
    root, _, rest = name.partition(".")
    return rest.partition(".")[0] if root == "associations" else ""


def is_upward(module: str, name: str) -> bool:
    """Whether the module knows a room that stands above its own, or beside it."""
    floor = {room: number for number, rooms in enumerate(LAYERS) for room in rooms}
    one, other = room_of(module), room_of(name)
    return "" not in (one, other) and one != other and floor[other] >= floor[one]


def may_be_small(module: str) -> bool:
    *places, name = module.split(".")
    stands_in = {*places} & {*IN_PLACES_OF_DJANGO}
    return name in FOUND_BY_ADDRESS or module in STORED or bool(stands_in)


def is_needless(source: str, importers: int) -> bool:
    """Whether a file is but one thing of the only module that uses it."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    things = [node for node in ast.parse(source).body if isinstance(node, kinds)]
    return len(things) == 1 and importers < 2 and source.count("\n") < SMALL


@tag("long", "one_database")
class ImportTests(TestCase):
    def setUp(self) -> None:
        self.found = [(m, [*imports_of(package, source)]) for m, package, source in modules()]
        self.assertGreater(len(self.found), 30)

    def test_every_module_keeps_every_rule(self) -> None:
        for rule, breaks in RULES.items():
            with self.subTest(rule):
                breaches = [
                    (m, name) for m, names in self.found for name in names if breaks(m, name)
                ]
                self.assertEqual(breaches, [])

    def test_every_rule_can_be_broken(self) -> None:
        self.assertEqual(set(BREACHES), set(RULES))
        for rule, samples in BREACHES.items():
            for module, source in samples:
                with self.subTest(rule, module=module, source=source):
                    names = imports_of(module.rpartition(".")[0], source)
                    self.assertTrue(any(RULES[rule](module, name) for name in names))

    def test_the_client_does_import_requests(self) -> None:
        """Else a rule would have nothing left to guard."""
        source = (ROOT / "associations/hubspot/client.py").read_text(encoding="utf-8")
        self.assertIn("requests", [*imports_of(HUBSPOT, source)])

    def test_hubadmin_names_the_application_only_in_settings_and_addresses(self) -> None:
        naming = {
            module
            for module, _, source in modules()
            for node in ast.walk(ast.parse(source))
            if within(module, "hubadmin")
            and isinstance(node, ast.Constant)
            and str(node.value).startswith("associations.")
        }
        self.assertEqual(naming, {"hubadmin.settings", "hubadmin.urls"})


class LayerTests(TestCase):
    def test_every_room_has_its_layer(self) -> None:
        rooms = {room_of(module) for module, _, _ in modules()} - {""}
        self.assertEqual(Counter(rooms), Counter(room for layer in LAYERS for room in layer))

    def test_rooms_know_only_what_stands_before_them(self) -> None:
        upward = [
            (module, name)
            for module, package, source in modules()
            for name in imports_of(package, source)
            if is_upward(module, name)
        ]
        self.assertEqual(upward, [])

    def test_every_layer_is_closed_to_those_before_and_beside_it(self) -> None:
        for lower, upper in combinations(LAYERS, 2):
            for one, other in [(low, up) for low in lower for up in upper]:
                self.assertTrue(is_upward(f"associations.{one}.a", f"associations.{other}.b"))
                self.assertFalse(is_upward(f"associations.{other}.a", f"associations.{one}.b"))
        for layer in LAYERS:
            for one, other in combinations(layer, 2):
                self.assertTrue(is_upward(f"associations.{one}", f"associations.{other}.b"))

    def test_no_way_of_importing_goes_unseen(self) -> None:
        for source in (
            "from associations.linking.services import Origin",
            "from associations import linking",
            "import associations.linking.services",
            "from ..linking import services",
            "from .. import linking",
            "if TYPE_CHECKING:\n    from associations.linking.forms import LinkForm",
            "def f():\n    from associations.linking import services",
        ):
            with self.subTest(source):
                names = imports_of("associations.audit", source)
                self.assertTrue(any(is_upward("associations.audit.views", n) for n in names))

    def test_a_room_may_know_itself_and_what_is_not_of_the_application(self) -> None:
        for name in ("associations.audit.forms", "associations", "django.db", "hubadmin.web.http"):
            self.assertFalse(is_upward("associations.audit.views", name))


class FileTests(TestCase):
    def test_no_file_is_but_one_thing_of_the_only_module_that_uses_it(self) -> None:
        importers = Counter()
        for module, package, source in modules():
            names = {*imports_of(package, source)}
            importers.update({name for n in names for name in (n, n.rpartition(".")[0])} - {module})
        needless = [
            module
            for module, _, source in modules()
            if not may_be_small(module) and is_needless(source, importers[module])
        ]
        self.assertEqual(needless, [])

    def test_such_files_are_found(self) -> None:
        one, two = "import os\n\n\ndef f() -> None: ...\n", "A = 1\n\n\ndef f() -> None: ...\n"
        self.assertTrue(is_needless(one, importers=1))
        self.assertTrue(is_needless("A = 1\n", importers=0))
        self.assertFalse(is_needless(one, importers=2))
        self.assertFalse(is_needless(two, importers=1))
        self.assertFalse(is_needless(one + "#\n" * SMALL, importers=1))
        self.assertFalse(may_be_small("hubadmin.web.client_ip"))
        self.assertTrue(may_be_small("hubadmin.management.commands.people"))
