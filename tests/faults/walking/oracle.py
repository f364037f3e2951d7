"""Compares what a page says with what is so, and notes what nobody knows."""

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache

from django.core.exceptions import ObjectDoesNotExist

from tests.faults.walking.claims import CLAIMS, DUTIES, Claim, kinds_of
from tests.faults.walking.pages import Page, Text
from tests.faults.walking.saying import Saying
from tests.faults.walking.world import World

# A sentence with one of these says something of what was done.
_LOADED = re.compile(
    r"\b(un)?linked\b|\bsent\b|\bsending\b|\bstart(s|ed)?\b|\bdone\b|\bbegun\b|\bverified\b"
    r"|\bthrough\b|\bcanceled\b|\bqueued\b|\bfound\b|\bfinds\b|\bchoice\b|\bmeant\b"
    r"|\bHubSpot has (no|several)\b|\blooked for\b|\brows?:",
    re.I,
)
_SILENT_PLACES = {"name", "fact HubSpot's status"}  # headings, and what HubSpot calls a state


@dataclass(frozen=True, slots=True)
class Finding:
    """A contradiction, or with `is_unknown` a sentence that the table does not know."""

    page: str
    claim: str  # its name, which stands for all that say the same
    said: str
    so: str
    is_unknown: bool = False


@dataclass(slots=True)
class Oracle:
    """Judges every page of a walk."""

    world: World
    checked: Counter[str] = field(default_factory=Counter)
    pages: Counter[str] = field(default_factory=Counter)
    found: list[Finding] = field(default_factory=list)

    def judge(self, page: Page) -> None:
        self.pages[page.kind] += 1
        for text in page.texts:
            self._judge_text(page, text)
        for kinds, holds in DUTIES:
            if page.kind in kinds_of(kinds):
                so = (holds.__doc__ or "").strip()
                self.checked[so] += 1
                if not holds(self.world, page):
                    self.found.append(Finding(page.kind, so, page.address, so))

    def _judge_text(self, page: Page, text: Text) -> None:
        rest = text.text
        for claim in _claims_on(page.kind, text.place):
            if several := list(claim.pattern.finditer(rest)):
                for found in several:
                    self._judge_saying(claim, Saying(self.world, page, text, found))
                rest = claim.pattern.sub(" § ", rest)
        if text.place in _SILENT_PLACES:
            return
        for sentence in re.split(r"(?<=[.:?!…”])\s+|§", rest):
            if _LOADED.search(sentence):
                plain = re.sub(r"\d+", "0", sentence.strip())
                self.found.append(Finding(page.kind, plain, sentence, "unknown", is_unknown=True))

    def _judge_saying(self, claim: Claim, saying: Saying) -> None:
        self.checked[claim.name] += 1
        try:
            holds, so = claim.holds(saying), (claim.holds.__doc__ or "").strip()
        except (LookupError, ObjectDoesNotExist) as error:
            holds, so = False, f"nobody knows of what: {error}"
        if not holds:
            said = saying.text.text
            self.found.append(Finding(saying.page.kind, claim.name, said, so))


@cache
def _claims_on(kind: str, place: str) -> list[Claim]:
    """Those of a place on a page. A claim without one is of sentences, wherever these stand."""
    holds_sentences = place in (
        "",
        "choice",
        "cell what_happened",
        "cell problem",
    ) or place.startswith("fact ")
    places = {place, ""} if holds_sentences else {place}
    return [claim for claim in CLAIMS if kind in claim.kinds and claim.place in places]
