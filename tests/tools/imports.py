"""The map of rooms, by who imports whom: `python -m tests.tools.imports [ROOT]`.

A room is a package of associations/ or hubadmin/, one of ROOMS, or a module that lies loose there.
Migrations and empty modules are left out. What only the type checker imports is counted in the
second column alone, and marked below it.
"""

import ast
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
APPS = ("associations", "hubadmin")
ROOMS = (
    "associations.audit.integrity",
    "associations.bulk.files",
    "associations.bulk.worker",
    "hubadmin.demo",
    "hubadmin.demo.sandbox",
    "hubadmin.sso",
    "hubadmin.web",
)

Graph = dict[str, Counter[str]]  # what each imports, and how often
Arrow = tuple[str, str]

# --- who imports whom -----------------------------------------------------------------------------


def modules_in(root: Path) -> dict[str, Path]:
    """Return the file of each module that is not empty; a package goes by its own name."""
    paths = [path for app in APPS for path in sorted((root / app).rglob("*.py"))]
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
        if "migrations" not in path.parts and path.stat().st_size
    }


def import_graph(modules: dict[str, Path], *, types: bool) -> Graph:
    """Return what each module imports of the others; with what is only for types, if asked for."""
    graph: Graph = {}
    for module, path in modules.items():
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        tree = ast.parse(path.read_text(encoding="utf-8"))
        known = (_known(name, modules) for name in _imported(tree, package, types))
        graph[module] = Counter(name for name in known if name and name != module)
    return graph


def _imported(node: ast.AST, package: str, types: bool) -> Iterator[str]:
    """Give each name that is imported below the node, in full."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        parents = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
        base = ".".join(filter(None, [*parents, node.module]))
        yield from (f"{base}.{alias.name}" for alias in node.names)
    children: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.If) and not types and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        children = node.orelse
    for child in children:
        yield from _imported(child, package, types)


def _known(name: str, modules: dict[str, Path]) -> str:
    """Return the module that the name is, or is in; "" if it is none of ours."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name


def room_of(module: str) -> str:
    own = [room for room in ROOMS if f"{module}.".startswith(f"{room}.")]
    return max(own, key=len, default=".".join(module.split(".")[:2]))


def room_graph(graph: Graph) -> Graph:
    rooms: Graph = {room_of(module): Counter() for module in graph}
    for module, imported in graph.items():
        for name, times in imported.items():
            rooms[room_of(module)][room_of(name)] += times
    for room, imported in rooms.items():
        del imported[room]
    return rooms


# --- what a graph says ----------------------------------------------------------------------------


def circles(graph: Graph) -> list[list[str]]:
    """Return each set of nodes that all lead to each other."""
    reached = {node: _reached(graph, node) for node in graph}
    found = {
        tuple(sorted(other for other in reached[node] if node in reached[other]))
        for node in graph
        if node in reached[node]
    }
    return sorted(map(list, found))


def _reached(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    rest = [start]
    while rest:
        new = graph[rest.pop()].keys() - found
        found |= new
        rest += new
    return found


def arrows_up(graph: Graph) -> list[Arrow]:
    """Return the fewest arrows, of the fewest imports, without which no circle is left."""
    return sorted(arrow for circle in circles(graph) for arrow in _fewest_up(graph, circle))


def _fewest_up(graph: Graph, circle: list[str]) -> tuple[Arrow, ...]:
    """Take the best of all orders in which to stack the nodes; they are few."""

    @cache
    def stacked(nodes: frozenset[str]) -> tuple[int, int, tuple[Arrow, ...]]:
        return min((with_top(nodes, top) for top in nodes), default=(0, 0, ()))

    def with_top(nodes: frozenset[str], top: str) -> tuple[int, int, tuple[Arrow, ...]]:
        arrows, imports, found = stacked(nodes - {top})
        up = [(node, top) for node in sorted(nodes) if top in graph[node]]
        times = sum(graph[node][top] for node, _ in up)
        return arrows + len(up), imports + times, (*found, *up)

    return stacked(frozenset(circle))[2]


def floors(graph: Graph) -> dict[str, int]:
    """Return the floor of each node: one above the highest that it leads to, but for arrows up."""
    up = set(arrows_up(graph))

    @cache
    def floor(node: str) -> int:
        return 1 + max(
            (floor(other) for other in graph[node] if (node, other) not in up), default=0
        )

    return {node: floor(node) for node in graph}


def mutual(graph: Graph) -> list[Arrow]:
    return sorted((a, b) for a in graph for b in graph[a] if a < b and a in graph[b])


def loose(modules: dict[str, Path], app: str = "associations") -> list[str]:
    return sorted(
        module
        for module, path in modules.items()
        if path.name != "__init__.py" and module.rpartition(".")[0] == app
    )


# --- the map --------------------------------------------------------------------------------------


def imports_between(graph: Graph, room: str, other: str) -> list[Arrow]:
    """Return what the modules of one room import of another one."""
    arrows = ((module, name) for module in graph for name in graph[module])
    return sorted(arrow for arrow in arrows if [*map(room_of, arrow)] == [room, other])


def figures(modules: dict[str, Path], graph: Graph) -> dict[str, int]:
    rooms = room_graph(graph)
    return {
        "modules": len(modules),
        "rooms": len(rooms),
        "arrows between rooms": sum(map(len, rooms.values())),
        "floors": max(floors(rooms).values()),
        "arrows back up": len(arrows_up(rooms)),
        "pairs of rooms that import each other": len(mutual(rooms)),
        "circles of rooms": len(circles(rooms)),
        "circles of modules": len(circles(graph)),
        "loose modules": len(loose(modules)),
    }


def main() -> None:
    modules = modules_in(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
    graphs = [import_graph(modules, types=types) for types in (False, True)]
    running, all_ = (figures(modules, graph) for graph in graphs)
    print(f"{'':<40}{'running':>8}{'+ types':>8}")
    for name, number in running.items():
        print(f"{name:<40}{number:>8}{all_[name]:>8}")

    running_rooms, rooms = map(room_graph, graphs)
    stories = floors(rooms)
    print()
    for number in range(max(stories.values()), 0, -1):
        print(f"{number:>2} ", ", ".join(sorted(room for room in rooms if stories[room] == number)))
    print("\nArrows back up:")
    for room, other in arrows_up(rooms):
        mark = "" if other in running_rooms[room] else " (types only)"
        print(f"  {room} -> {other}{mark}")
        for arrow in imports_between(graphs[1], room, other):
            print("    " + " -> ".join(arrow))
    print("\nPairs of rooms that import each other:")
    for pair in mutual(rooms):
        print("  " + " <-> ".join(pair))
    print("\nCircles of modules:")
    for circle in circles(graphs[1]):
        print("  " + ", ".join(circle))
    print("\nLoose modules:", ", ".join(name.partition(".")[2] for name in loose(modules)))


if __name__ == "__main__":
    main()
