"""Pairs through the preview and the dry run, and then to HubSpot's stand-in; and what was told."""

import random
import re
import time
from collections import Counter

from django.test import override_settings

from associations.audit.recorder import RequestMeta
from associations.bulk import dry_run, services
from associations.bulk.leases import claim
from associations.models import BulkRun, RowState
from hubadmin.demo.sandbox import Sandbox
from hubadmin.demo.sandbox.portal import TYPES, object_scopes
from tests.faults.refusals.portal import Pair, Portal
from tests.support import SignedInClient, forget_looks, person, warm_up

PAIRS, ROWS = 15, 30  # of one portal: in the form, in a file
FIELDS = ("from_object_type", "from_object_id", "to_object_type", "to_object_id")
_TOLD = (
    *("it would refuse", "HubSpot may refuse this", "no default way to link"),
    *("HubSpot has no record", "was deleted in HubSpot", "Both are the same record"),
    "daily limit of requests is used up",
)
_LACKING = re.compile("access token lacks ([^<]*?)\\. ")


class Campaign:
    """Half of the pairs by the form, half of them as rows."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        # By place and what HubSpot said: how many, and how many of them were called refusals
        self.all, self.foreseen = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        self.alarms: list[str] = []
        self.portals = 0

    def take(self, cases: int) -> None:
        settings = {"SUBMITS_PER_PERSON_PER_MINUTE": 0, "HUBSPOT_VERIFY": True}
        with Sandbox() as sandbox, override_settings(HUBSPOT_API_BASE_URL=sandbox.url, **settings):
            warm_up(sandbox.url)
            self._user = person()
            self._client = SignedInClient(self._user)
            while min(self._count(is_refusal) for is_refusal in (True, False)) < cases / 2:
                portal = Portal(sandbox, self._chance)
                self.portals += 1
                with portal.open():
                    (self._preview if self.portals % 3 else self._dry_run)(portal)

    def _count(self, is_refusal: bool) -> int:
        return sum(n for (_place, why), n in self.all.items() if bool(why) == is_refusal)

    def _preview(self, portal: Portal) -> None:
        for _ in range(PAIRS):
            forget_looks()
            pair = portal.pair()
            fields = dict(zip(FIELDS, (*pair[0], *pair[1]), strict=True))
            answer = self._client.post("/preview/", fields, headers={"HX-Request": "true"})
            page = " ".join(answer.content.decode().split())
            self._compare("preview", portal, pair, any(told in page for told in _TOLD))

    def _dry_run(self, portal: Portal) -> None:
        lines = [portal.pair() for _ in range(ROWS)]
        run = self._read([",".join((*one, *other)) for one, other in lines])
        forget_looks()
        page = self._client.get(run.get_absolute_url()).content.decode()
        lacking = " ".join(_LACKING.findall(" ".join(page.split())))
        is_over = "takes no more requests today" in page
        sent = run.rows.exclude(state=RowState.DOUBLE)
        # As they would go out: one pair of types after the other.
        for row in sent.order_by("from_object_type", "to_object_type", "number"):
            pair = lines[row.number - 1]
            scopes = object_scopes("write", *(TYPES[kind] for kind, _id in pair))
            is_told = any(each in lacking for each in scopes) or is_over
            self._compare("dry run", portal, pair, row.state == RowState.INVALID or is_told)
        services.discard(run=run, user=self._user, meta=RequestMeta())

    def _read(self, lines: list[str]) -> BulkRun:
        data = "\n".join(["from type,from id,to type,to id", *lines]).encode()
        run = services.create(
            user=self._user, meta=RequestMeta(), name="x.csv", parts=[data], way="single"
        )
        claimed = claim(BulkRun.objects.filter(pk=run.pk))
        dry_run.read_run(claimed, time.monotonic() + 60)
        run.refresh_from_db()
        return run

    def _compare(self, place: str, portal: Portal, pair: Pair, is_told: bool) -> None:
        why = portal.takes(pair)
        if why == "limit" and portal.hides_limits:
            why = "limit that is not shown"
        self.all[place, why] += 1
        self.foreseen[place, why] += is_told
        if is_told and not why:
            self.alarms.append(f"{place}, portal {self.portals}: {pair}")

    @property
    def percent(self) -> float:
        known = {key for key in self.all if key[1] and "not shown" not in key[1]}
        told = sum(self.foreseen[key] for key in known)
        return 100 * told / max(1, sum(self.all[key] for key in known))

    def is_well(self, goal: float) -> bool:
        return self.percent >= goal and not self.alarms

    def tell(self, seconds: float) -> None:
        total = sum(self.all.values())
        print(f"{total} pairs in {self.portals} portals, {seconds:.0f} s")
        for (place, why), count in sorted(self.all.items()):
            named = f"refused: {why}" if why else "taken"
            print(
                f"  {place:8} {named:34} {count:5}, told beforehand {self.foreseen[place, why]:5}"
            )
        print(f"foreseen: {self.percent:.1f} % of what could be known")
        print(f"false alarms: {len(self.alarms)}")
        for alarm in self.alarms[:20]:
            print(f"  {alarm}")
