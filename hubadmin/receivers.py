"""Who is told of events: how NOTICE_RECEIVERS is read. What is wrong with it the checks tell."""

import re
from typing import NamedTuple


class Receiver(NamedTuple):
    """A name for people, a kind (email, slack, teams, json), and an address, which is a secret."""

    name: str
    kind: str = ""
    address: str = ""
    events: frozenset[str] = frozenset()  # none: all
    further: tuple[str, ...] = ()  # what should not stand there

    def __repr__(self) -> str:
        return f"Receiver({self.name!r})"

    def wants(self, event: str) -> bool:
        return not self.events or event in self.events


def receivers(text: str) -> list[Receiver]:
    """Read `name kind address [event,event…]`, separated by line breaks or `; `."""
    read = []
    for part in re.split(r";(?:\s|$)|\n", text):
        words = [*part.split(), "", "", "", ""]
        name, kind, address, events = words[:4]
        if name and not name.startswith("#"):
            wanted = frozenset(filter(None, events.split(",")))
            read.append(Receiver(name, kind, address, wanted, tuple(filter(None, words[4:]))))
    return read
