"""A portal of HubSpot's stand-in, made at random: what it limits, has, lacks and does not show."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from unittest import mock

import requests
from django.core.cache import cache
from django.test import override_settings

from associations.bulk import room, row_names
from hubadmin.demo.sandbox import Sandbox, portal
from hubadmin.demo.sandbox.portal import NO_SCOPES_TOKEN, SANDBOX_TOKEN

Record = tuple[str, str]  # its type and its id
Pair = tuple[Record, Record]

IDS = {
    "contacts": [str(number) for number in range(501, 507)],
    "companies": [str(number) for number in range(901, 907)],
    "deals": [str(number) for number in range(701, 706)],
    "tickets": [str(number) for number in range(801, 805)],
    "2-4002": ["71", "72"],
    "0-7": ["601", "602"],
}
MISSING = "399"
_OF_DEFAULTS = [
    *(("contacts", "companies"), ("deals", "companies"), ("deals", "contacts")),
    *(("tickets", "contacts"), ("tickets", "companies"), ("contacts", "contacts")),
    *(("deals", "deals"), ("contacts", "2-4002")),
]
_WITHOUT = [("companies", "2-4002"), ("0-7", "contacts"), ("deals", "2-4002")]
_WRITING = ["contacts", "companies", "deals", "tickets"]
_DAILY = {"status": "error", "message": "Daily limit reached.", "policyName": "DAILY"}
_USED_UP = {"results": [{"usageLimit": 1000, "currentUsage": 1000}]}


class Portal:
    """One of them; `hides_limits` and `is_used_up` are of the whole of it."""

    def __init__(self, sandbox: Sandbox, chance: random.Random) -> None:
        self.sandbox, self.chance = sandbox, chance
        self.token, self.granted = SANDBOX_TOKEN, list(portal.GRANTED[SANDBOX_TOKEN])
        self.hides_limits = self.is_used_up = False
        self.version = chance.choice(["v4", "v4", "2026-03", "2026-09"])
        sandbox.reset()
        sandbox.limits_as_in_guide = chance.random() < 0.5
        sandbox.names_as_asked = chance.random() < 0.5
        self._limit()
        self._link()
        self._change_records()
        self._spoil()

    def _limit(self) -> None:
        for one, other in chain(_OF_DEFAULTS, (pair[::-1] for pair in _OF_DEFAULTS)):
            drawn = self.chance.random()
            most = self.chance.randint(1, 3) if drawn < 0.5 else None
            self.sandbox.limit(one, other, most)
        if self.chance.random() < 0.3:
            self.sandbox.limit("contacts", "companies", 1, "Decision maker")

    def _link(self) -> None:
        """More than the limits allow, now and then."""
        for _ in range(self.chance.randint(10, 40)):
            (one, one_id), (other, other_id) = self._drawn(_OF_DEFAULTS)
            label = None
            if (one, other) == ("contacts", "companies") and self.chance.random() < 0.3:
                label = self.chance.choice(["Primary", "Decision maker"])
            if (one, one_id) != (other, other_id):
                self.sandbox.link(one, one_id, other, other_id, label)

    def _change_records(self) -> None:
        for name in self.chance.sample(_WRITING, 2):
            old, new, gone = self.chance.sample(IDS[name], 3)
            self.sandbox.merge(name, old, new)
            if self.chance.random() < 0.5:
                self.sandbox.archive(name, gone)

    def _spoil(self) -> None:
        drawn = self.chance.random()
        if drawn < 0.06:
            self.token = NO_SCOPES_TOKEN
            lacking = self.chance.sample(_WRITING, self.chance.randint(1, 2))
            self.granted = [
                each for each in self.granted if each.split(".")[2:] not in _scopes(lacking)
            ]
        elif drawn < 0.09:
            self.is_used_up = True
            self.sandbox.fault(
                method="GET", path="api-usage", status=200, body=_USED_UP, times=None
            )
            for method in ("GET", "POST", "PUT"):
                self.sandbox.fault(method=method, status=429, body=_DAILY, times=None)
        elif drawn < 0.14:
            self.hides_limits = True
            status = self.chance.choice([403, 404, 500, 503])
            self.sandbox.fault(method="GET", path="configurations", status=status, times=None)

    def _drawn(self, types: list[tuple[str, str]]) -> Pair:
        one, other = self.chance.choice(types)
        pair = (one, self.chance.choice(IDS[one])), (other, self.chance.choice(IDS[other]))
        return pair if self.chance.random() < 0.7 else pair[::-1]

    def pair(self) -> Pair:
        """Two records that somebody may want to link: mostly some that are there."""
        drawn = self.chance.random()
        one, other = self._drawn(_WITHOUT if drawn < 0.06 else _OF_DEFAULTS)
        if 0.06 < drawn < 0.12:
            other = other[0], MISSING
        return (one, other) if one != other else self.pair()

    def takes(self, pair: Pair) -> str:
        """Really ask it to link them; return why it did not, or nothing."""
        (one, one_id), (other, other_id) = pair
        answer = requests.put(
            f"{self.sandbox.url}/crm/v4/objects/{one}/{one_id}/associations/default/{other}/{other_id}",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=30,
        )
        if answer.status_code != 200:
            return _why(answer.json())
        types = portal.TYPES[one], portal.TYPES[other]
        left = [self.sandbox.id_of(*each) for each in zip(types, (one_id, other_id), strict=True)]
        if (one, left[0]) == (other, left[1]):
            return "one record"
        linked = self.sandbox.links.seen(one, left[0], other).get(left[1], [])
        return "" if any(not each.label for each in linked) else "not linked"

    @contextmanager
    def open(self) -> Iterator[None]:
        """Have the site speak to it, and know nothing of another one."""
        cache.clear()
        room._kept.clear()
        row_names._known.clear()
        settings = {"HUBSPOT_ACCESS_TOKEN": self.token, "HUBSPOT_API_VERSION": self.version}
        granted = mock.patch.dict(portal.GRANTED, {self.token: self.granted})
        with override_settings(**settings), granted:
            yield


def _scopes(types: list[str]) -> list[list[str]]:
    return [[each, "write"] for each in types]


def _why(body: dict[str, str]) -> str:
    marks = {
        "association limit": "limit",
        "are invalid": "record is not there",
        "No default": "no default type",
        "required scopes": "scope",
        "Daily": "calls of the day",
    }
    return next((why for mark, why in marks.items() if mark in body["message"]), body["message"])
