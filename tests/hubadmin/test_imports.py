"""Who may import whom, read from the source of every module."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import TestCase

ROOT = Path(__file__).parents[2]
HUBSPOT = "associations.hubspot"
CLIENT, SANDBOX = f"{HUBSPOT}.client", "hubadmin.demo.sandbox"
SANDBOX_COMMAND = "hubadmin.management.commands.hubspot_sandbox"
ASKS_PROVIDER = ["hubadmin.sso.oidc", "hubadmin.sso.gateway_token"]
VOCABULARY = [
    f"{HUBSPOT}.{name}" for name in ("object_types", "record_ids", "record_references", "outcomes")
]


def within(name: str, *packages: str) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


def is_ours(name: str) -> bool:
    return within(name, "associations", "hubadmin", "tests")


# Each says of a module and of one name that it imports whether that breaks the rule.
RULES: dict[str, Callable[[str, str], bool]] = {
    "only the client imports requests, and what asks the identity provider": lambda module, name: (
        within(name, "requests") and module != CLIENT and not within(module, *ASKS_PROVIDER)
    ),
    "only the client and its transport import urllib3": lambda module, name: (
        within(name, "urllib3") and module not in (CLIENT, f"{HUBSPOT}.transport")
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
    "models and forms take only words from the HubSpot package": lambda module, name: (
        within(module, "associations.models", "associations.form_fields")
        and within(name, HUBSPOT)
        and not within(name, *VOCABULARY)
    ),
    "only hubadmin knows about SSO": lambda module, name: (
        within(module, "associations") and within(name, "hubadmin.sso")
    ),
    "the product never imports tests": lambda module, name: within(name, "tests"),
}

# For each rule a module and a line that break it.
BREACHES = {
    "only the client imports requests, and what asks the identity provider": [
        ("associations.linking.services", "import requests"),
        ("hubadmin.web.views", "def f():\n    from requests.adapters import HTTPAdapter"),
    ],
    "only the client and its transport import urllib3": [
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
    "the product never imports tests": [
        ("hubadmin.demo.server", "from tests.support import person"),
    ],
}


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


class ImportTests(TestCase):
    def test_every_module_keeps_every_rule(self) -> None:
        found = [(module, [*imports_of(package, source)]) for module, package, source in modules()]
        self.assertGreater(len(found), 30)
        for rule, breaks in RULES.items():
            with self.subTest(rule):
                breaches = [(m, name) for m, names in found for name in names if breaks(m, name)]
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
