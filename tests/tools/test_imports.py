"""The map of a house that is made up: a circle, and an arrow that runs back up."""

import tempfile
from collections import Counter
from pathlib import Path
from unittest import TestCase

from tests.tools import imports

FILES = {
    "associations/__init__.py": "",
    "associations/low/__init__.py": "",
    "associations/low/a.py": "if TYPE_CHECKING:\n    from .b import B\nelse:\n    B = object",
    "associations/low/b.py": "import json\nfrom . import a",
    "associations/low/c.py": "def f():\n    from associations.high.views import show",
    "associations/high/__init__.py": "from .views import show",
    "associations/high/views.py": "from associations.low import a\nfrom ..low.b import B",
    "associations/migrations/0001.py": "from associations import high",
    "associations/top.py": "import associations.high.views as views",
    "hubadmin/web/http.py": "from associations import top",
}
LOW, HIGH, TOP, WEB = "associations.low", "associations.high", "associations.top", "hubadmin.web"


class MapTests(TestCase):
    def setUp(self) -> None:
        root = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name, source in FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(source, encoding="utf-8")
        self.modules = imports.modules_in(root)
        self.graph = imports.import_graph(self.modules, types=False)
        self.rooms = imports.room_graph(self.graph)

    def test_who_imports_whom(self) -> None:
        expected = {
            f"{LOW}.a": [],
            f"{LOW}.b": [f"{LOW}.a"],
            f"{LOW}.c": [f"{HIGH}.views"],
            HIGH: [f"{HIGH}.views"],
            f"{HIGH}.views": [f"{LOW}.a", f"{LOW}.b"],
            TOP: [f"{HIGH}.views"],
            f"{WEB}.http": [TOP],
        }
        self.assertEqual({name: sorted(found) for name, found in self.graph.items()}, expected)

    def test_rooms_and_how_often_they_import_each_other(self) -> None:
        expected = {LOW: {HIGH: 1}, HIGH: {LOW: 2}, TOP: {HIGH: 1}, WEB: {TOP: 1}}
        self.assertEqual(self.rooms, expected)
        between = imports.imports_between(self.graph, LOW, HIGH)
        self.assertEqual(between, [(f"{LOW}.c", f"{HIGH}.views")])

    def test_a_circle_that_is_only_for_types(self) -> None:
        with_types = imports.import_graph(self.modules, types=True)
        self.assertEqual(imports.circles(self.graph), [])
        self.assertEqual(imports.circles(with_types), [[f"{LOW}.a", f"{LOW}.b"]])

    def test_the_arrow_back_up_is_the_one_of_fewest_imports(self) -> None:
        self.assertEqual(imports.circles(self.rooms), [[HIGH, LOW]])
        self.assertEqual(imports.mutual(self.rooms), [(HIGH, LOW)])
        self.assertEqual(imports.arrows_up(self.rooms), [(LOW, HIGH)])
        self.assertEqual(imports.floors(self.rooms), {LOW: 1, HIGH: 2, TOP: 3, WEB: 4})

    def test_one_arrow_can_close_two_circles(self) -> None:
        graph = {"a": Counter("b"), "b": Counter("c"), "c": Counter("ad"), "d": Counter("b")}
        self.assertEqual(imports.circles(graph), [["a", "b", "c", "d"]])
        self.assertEqual(imports.arrows_up(graph), [("b", "c")])
        self.assertEqual(imports.mutual(graph), [])

    def test_what_lies_loose(self) -> None:
        self.assertEqual(imports.loose(self.modules), [TOP])

    def test_figures(self) -> None:
        expected = {"modules": 7, "rooms": 4, "arrows between rooms": 4, "floors": 4}
        expected |= {"arrows back up": 1, "pairs of rooms that import each other": 1}
        expected |= {"circles of rooms": 1, "circles of modules": 0, "loose modules": 1}
        self.assertEqual(imports.figures(self.modules, self.graph), expected)
