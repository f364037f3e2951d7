"""HubSpot's stand-in as tasks need it: what it has, what is done to it meanwhile, what it hears."""

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest import mock

from django.core.cache import cache
from django.test import override_settings

from associations.gateway import rate_limiter
from associations.linking import verification
from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox, portal
from hubadmin.demo.sandbox.merges import MERGED
from hubadmin.demo.sandbox.people import people
from hubadmin.demo.sandbox.properties import describe
from tests.faults.tickets.truth import CAR, COMPANY, CONTACT, DEAL, TICKET, Key, Known, Truth
from tests.support import warm_up

TYPES = (CONTACT, COMPANY, DEAL, TICKET, CAR)
RANDOM_SEED = 7  # of what is done to the portal
_PUT = re.compile(r"/([^/]+)/([0-9]+)/associations/default/([^/]+)/([0-9]+)$")


class Call(NamedTuple):
    """What HubSpot was asked; `pair` is what a PUT would link."""

    method: str
    path: str

    @property
    def is_search(self) -> bool:
        return self.path.endswith("/search")

    @property
    def pair(self) -> tuple[Key, Key] | None:
        found = _PUT.search(self.path) if self.method == "PUT" else None
        if not found:
            return None
        first, first_id, second, second_id = found.groups()
        types = [portal.TYPES[name].type_id for name in (first, second)]
        return Key(types[0], first_id), Key(types[1], second_id)


class Hearing(Sandbox):
    """Keeps each call of HubSpot's API, however many they are."""

    def __init__(self, **options: Any) -> None:
        super().__init__(keep_requests=1, **options)
        self.heard: list[Call] = []

    def record(self, method: str, target: str, headers: dict[str, str]) -> dict[str, Any]:
        self.heard.append(Call(method, target.partition("?")[0]))
        return super().record(method, target, headers)


class World:
    """The portal, and the truth about it, which goes along with whatever is done to it."""

    def __init__(self, sandbox: Hearing, *, is_limited: bool = False) -> None:
        self.sandbox, self.is_limited = sandbox, is_limited
        self._chance = random.Random(RANDOM_SEED)
        self.truth = Truth(_records())
        self._by_type: defaultdict[str, list[Known]] = defaultdict(list)
        self._gone: defaultdict[str, list[Known]] = defaultdict(list)
        self._merged: defaultdict[str, list[Known]] = defaultdict(list)
        for type_id in TYPES:
            for record in self.truth.of_type(type_id):
                self._list_of(record)[type_id].append(record)
        for (type_id, old), new in MERGED.items():
            self._know_merged(Key(type_id, old), new)

    def _list_of(self, record: Known) -> defaultdict[str, list[Known]]:
        if record.merged_into:
            return self._merged
        return self._gone if record.is_archived else self._by_type

    def _know_merged(self, key: Key, new: str) -> None:
        """One that was merged before the portal began may have left nothing but its id."""
        if key.type_id in TYPES and not self.truth.get(key):
            self.truth.put(old := Known(key, {}, merged_into=new))
            self._merged[key.type_id].append(old)

    # --- what it hears ----------------------------------------------------------------------------

    def mark(self) -> int:
        """Where the calls begin that are still to come."""
        return len(self.sandbox.heard)

    def since(self, mark: int) -> list[Call]:
        return self.sandbox.heard[mark:]

    # --- what it has ------------------------------------------------------------------------------

    def there(self, type_id: str, chance: random.Random) -> Known:
        """Any of those that are there, as it is now."""
        while True:
            known = chance.choice(self._by_type[type_id])
            if (now := self.truth[known.key]).is_there:
                return now

    def archived(self, type_id: str) -> Known:
        """One that was deleted, just now if there is no other; seldom a new one."""
        gone = self._gone[type_id]
        if not gone or self._chance.random() < 0.1:
            record = self.there(type_id, self._chance)
            self.sandbox.archive(type_id, record.key.record_id)
            gone.append(self.truth.archive(record))
        return self._chance.choice(gone)

    def merged(self, type_id: str) -> Known:
        """One that was merged into another, just now if there is no other; seldom a new one."""
        merged = self._merged[type_id]
        if not merged or self._chance.random() < 0.1:
            old, new = (self.there(type_id, self._chance) for _ in "12")
            if old.key != new.key:
                self.sandbox.merge(type_id, old.key.record_id, new.key.record_id)
                merged.append(self.truth.merge(old, new))
        return self._chance.choice(merged) if merged else self.merged(type_id)

    def create(self, type_id: str, *, twin: bool = False) -> Known:
        """A record that search does not know for a while; a `twin` has another one's name."""
        number = self._chance.randrange(10**6, 10**7)
        like = self.there(type_id, self._chance)
        properties = {
            name: value
            for name, value in like.properties.items()
            if name in ("firstname", "lastname", "name", "dealname", "subject")
        }
        if not twin:
            last = "lastname" if type_id == CONTACT else next(iter(properties))
            properties[last] = f"{properties.get(last, '')} Nova{number}".strip()
        properties |= {
            CONTACT: {"email": f"new.{number}@nova.example", "city": "Novara"},
            COMPANY: {"domain": f"nova-{number}.example", "city": "Novara"},
        }.get(type_id, {})
        record_id = self.sandbox.create(type_id, properties)
        record = Known(Key(type_id, record_id), properties)
        self.truth.put(record)
        self._by_type[type_id].append(record)
        return record

    def move_address(self, wanted: Known) -> tuple[str, Known] | None:
        """Give the main address of another contact to this one, as its second one."""
        other = self.there(CONTACT, self._chance)
        address = other.properties.get("email")
        if not address or other.key == wanted.key:
            return None
        more = ";".join([*wanted.all_of("hs_additional_emails"), address])
        rest = {k: v for k, v in other.properties.items() if k != "email"}
        moved = Known(wanted.key, {**wanted.properties, "hs_additional_emails": more})
        self.sandbox.change(CONTACT, other.key.record_id, {"email": None})
        self.sandbox.change(CONTACT, wanted.key.record_id, {"hs_additional_emails": more})
        self.truth.put(Known(other.key, rest))
        self.truth.put(moved)
        return address, moved


def _records() -> Iterable[Known]:
    """All that the portal begins with, but for what is made of an id whenever it is asked for."""
    for type_id in TYPES:
        options = _labels(type_id)
        for key, record in (*portal.RECORDS.items(), *people().items()):
            if key[0] == type_id:
                told = {name: options.get((name, value), value) for name, value in record.items()}
                merged_into = MERGED.get(key, "")
                yield Known(Key(*key), told, portal.is_archived(*key), merged_into)


def _labels(type_id: str) -> dict[tuple[str, str], str]:
    """What people call the values of a list; HubSpot's answers have the values."""
    return {
        (each["name"], option["value"]): f"{option['value']};{option['label']}"
        for each in describe(type_id)
        for option in each["options"]
    }


@contextmanager
def world(*, lag: float, is_limited: bool = False) -> Iterator[World]:
    """The site at HubSpot's stand-in; without limits unless they are what is to be seen."""
    limits = {} if is_limited else {"HUBSPOT_SEARCHES_PER_SECOND": 0}
    with (
        Hearing(search_limit=5 if is_limited else 0) as sandbox,
        override_settings(
            HUBSPOT_API_BASE_URL=sandbox.url,
            HUBSPOT_ACCESS_TOKEN=SANDBOX_TOKEN,
            SUBMITS_PER_PERSON_PER_MINUTE=0,
            FINDS_PER_PERSON_PER_HOUR=0,
            **limits,
        ),
        # Nobody pauses between two looks of one request.
        mock.patch.object(verification, "PAUSE", 0.0),
    ):
        warm_up(sandbox.url)
        sandbox.search_lag = lag
        cache.clear()
        try:
            yield World(sandbox, is_limited=is_limited)
        finally:
            rate_limiter.close()
