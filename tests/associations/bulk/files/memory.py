"""How much memory 20 MiB of each nasty kind of file take, and how long; and large workbooks.

By itself, not in CI: python -m tests.associations.bulk.files.memory
"""

import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Iterator

import django

MIB = 1024 * 1024
SIZE = 20 * MIB
ROWS = 100_000
Parts = Callable[[], Iterator[bytes]]


def measure(parts: Parts, small: Parts) -> tuple[float, float]:
    """MiB above what a small file took, and seconds."""
    from tests.associations.bulk.files.test_hostile_files import read_through

    read_through(small)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    read_through(parts)
    above = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return above / 1024, time.process_time() - started


def measure_text(name: str) -> tuple[float, float]:
    from tests.associations.bulk.files.test_hostile_files import ENDLESS, endless

    return measure(endless(*ENDLESS[name], SIZE), endless(*ENDLESS[name], MIB // 100))


def workbook(name: str) -> bytes:
    """One of ROWS rows: ids, and reasons that are texts in the cells or shared ones."""
    from tests.associations.bulk.files import workbooks

    def row(line: int) -> str:
        reason = f' t="s"><v>{line}</v>'
        if name == "a workbook, texts in cells":
            reason = f' t="inlineStr"><is><t>SUP-{line}, as they said</t></is>'
        ids = (f"><v>{number + line}</v>" for number in (1_000_000, 106_738_000_000))
        return workbooks.number_row(line, *ids, reason)

    texts = "".join(f"<si><t>SUP-{line}, as they said</t></si>" for line in range(ROWS + 2))
    rows = workbooks.sheet(workbooks.HEAD, *map(row, range(2, ROWS + 2)))
    return workbooks.raw(rows, strings=f'<sst xmlns="{workbooks.MAIN}">{texts}</sst>')


def measure_workbook(content: bytes) -> tuple[float, float]:
    from tests.associations.bulk.files.files import parts_of
    from tests.associations.bulk.files.workbooks import workbook_of

    return measure(parts_of(content), parts_of(workbook_of([501, 902, "x"])))


def main() -> None:
    """Measure each kind in a process of its own; seconds are those of the processor."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    from tests.associations.bulk.files.test_hostile_files import ENDLESS

    kinds = [(name, measure_text, name) for name in ENDLESS]
    for name in ("a workbook, texts in cells", "a workbook, shared texts"):
        kinds.append((name, measure_workbook, workbook(name)))
    for name, measured, what in kinds:
        with multiprocessing.get_context("fork").Pool(1) as pool:
            above, seconds = pool.apply(measured, [what])
        print(f"{name:26} {above:6.1f} MiB {seconds:6.2f} s")


if __name__ == "__main__":
    main()
