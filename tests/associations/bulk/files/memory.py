"""How much memory 20 MiB of each nasty kind of file take, and how long: by itself, not in CI.

python -m tests.associations.bulk.reading.memory
"""

import multiprocessing
import os
import resource
import time

import django

MIB = 1024 * 1024
SIZE = 20 * MIB


def measure(name: str) -> tuple[float, float]:
    """MiB above the start, and seconds."""
    from tests.associations.bulk.files.test_hostile_files import ENDLESS, endless, read_through

    parts = endless(*ENDLESS[name], SIZE)
    read_through(endless(*ENDLESS[name], MIB // 100))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    read_through(parts)
    above = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return above / 1024, time.perf_counter() - started


def main() -> None:
    """Measure each kind in a process of its own."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    from tests.associations.bulk.files.test_hostile_files import ENDLESS

    for name in ENDLESS:
        with multiprocessing.get_context("fork").Pool(1) as pool:
            above, seconds = pool.apply(measure, [name])
        print(f"{name:26} {above:6.1f} MiB {seconds:6.2f} s")


if __name__ == "__main__":
    main()
