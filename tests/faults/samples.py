"""What processes take, by Linux's /proc, again and again, and whether it grows."""

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
WHAT = ("rss", "descriptors", "threads", "connections")  # MiB, and numbers
ESTABLISHED = "01"


@dataclass(frozen=True, slots=True)
class Taken:
    """By one process, at a moment."""

    rss: float  # MiB
    descriptors: int
    threads: int
    connections: int  # to the database


def group(leader: int) -> list[int]:
    """Every process of a process group that is alive, oldest first."""
    found = []
    for file in PROC.glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = file.read_text().rsplit(")", 1)[1].split()
            if int(fields[2]) == leader and fields[0] != "Z":
                found.append(int(file.parent.name))
    return sorted(found)


def taken(pid: int, database: int | str) -> Taken | None:
    """What it takes, None if it has ended; `database` is a port of this machine, or a file."""
    own = PROC / str(pid)
    try:
        status = dict(
            line.split(":", 1) for line in (own / "status").read_text().splitlines() if ":" in line
        )
        opened = [str(each.readlink()) for each in _links(own / "fd")]
    except (OSError, ValueError):
        return None
    if "VmRSS" not in status:
        return None
    if isinstance(database, int):
        sockets = set(_sockets_to(database, own))
        connections = sum(each in sockets for each in opened)
    else:
        connections = opened.count(database)
    rss = int(status["VmRSS"].split()[0]) / 1024
    return Taken(rss, len(opened), int(status["Threads"]), connections)


def _links(folder: Path) -> Iterator[Path]:
    for each in folder.iterdir():
        with suppress(OSError):  # closed meanwhile
            each.readlink()
            yield each


def _sockets_to(port: int, own: Path) -> Iterator[str]:
    """As /proc names them, of all processes: those that are connected to a port."""
    for line in (own / "net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == ESTABLISHED and int(fields[2].rsplit(":", 1)[1], 16) == port:
            yield f"socket:[{fields[9]}]"


@dataclass
class Samples:
    """What services take all together, over time; a service is a process group by its leader."""

    leaders: Mapping[str, int]
    database: int | str
    rows: list[tuple[float, str, Taken]] = field(default_factory=list)
    largest: dict[str, float] = field(default_factory=lambda: defaultdict(float))  # of one process
    counts: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def take(self) -> None:
        now = time.monotonic()
        for name, leader in self.leaders.items():
            found = [each for pid in group(leader) if (each := taken(pid, self.database))]
            self.counts[name].add(len(found))
            self.largest[name] = max([self.largest[name], *(each.rss for each in found)])
            sums = (sum(getattr(each, what) for each in found) for what in WHAT)
            self.rows.append((now, name, Taken(*sums)))

    def series(self, name: str, what: str, since: float = 0) -> list[tuple[float, float]]:
        """Hours and values of one service, from a part of the time on."""
        own = [(at, getattr(row, what)) for at, of, row in self.rows if of == name]
        begun, end = own[0][0], own[-1][0]
        return [
            ((at - begun) / 3600, value) for at, value in own if at - begun >= (end - begun) * since
        ]


@dataclass(frozen=True, slots=True)
class Trend:
    """By least squares, over what has warmed up."""

    mean: float
    slope: float  # an hour
    first: float
    last: float

    @property
    def is_flat(self) -> bool:
        """Less than a twentieth in an hour, or than two of them."""
        return abs(self.slope) <= max(2, self.mean / 20)


def trend(points: list[tuple[float, float]]) -> Trend:
    hours, values = [at for at, _ in points], [value for _, value in points]
    slope = statistics.linear_regression(hours, values).slope if len(points) > 2 else 0.0
    tenth = max(1, len(values) // 10)
    ends = statistics.mean(values[:tenth]), statistics.mean(values[-tenth:])
    return Trend(statistics.mean(values), slope, *ends)
