"""How large the project is: `python -m tests.tools.sizes [ROOT]`.

Python files that are not empty, without migrations, and the lines of their functions, from `def` to
the last; then the templates.
"""

import ast
import statistics
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def python_files(root: Path, *folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            if path.stat().st_size and not {"migrations", "node_modules"} & {*path.parts}:
                yield path


def function_lengths(paths: Iterable[Path]) -> list[int]:
    return sorted(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def lines_of(paths: Iterable[Path]) -> list[str]:
    return [line for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    product = [*python_files(root, "associations", "hubadmin")]
    sandbox = [path for path in product if "sandbox" in path.parts]
    parts = {
        "product": product,
        "of it the sandbox": sandbox,
        "without the sandbox": [path for path in product if path not in sandbox],
        "tests": [*python_files(root, "tests")],
    }
    columns = ("files", "lines", "functions", "median", "p90", "longest")
    print(f"{'':<20}" + "".join(f"{name:>10}" for name in columns))
    for name, paths in parts.items():
        lengths = function_lengths(paths)
        middle, p90 = statistics.median(lengths), lengths[len(lengths) * 9 // 10]
        numbers = (len(paths), len(lines_of(paths)), len(lengths), middle, p90, lengths[-1])
        print(f"{name:<20}" + "".join(f"{number:>10,g}" for number in numbers))

    templates = sorted((root / "templates").rglob("*.*"))
    lines = lines_of(templates)
    longest = max(map(len, lines))
    print(f"\n{len(templates)} templates, {len(lines):,} lines, the longest {longest} characters")


if __name__ == "__main__":
    main()
