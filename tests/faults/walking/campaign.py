"""Many walks, what they found, and for each finding the fewest steps that lead to it."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from hubadmin.demo.sandbox import Sandbox
from tests.faults.walking.claims import CLAIMS
from tests.faults.walking.clock import Clock
from tests.faults.walking.hubspot import Portal
from tests.faults.walking.oracle import Finding
from tests.faults.walking.walk import Step, draw, walk
from tests.faults.walking.world import site

TOLD_EVERY = 100
_TRIES = 60  # of shorter walks for one finding


@dataclass(slots=True)
class Case:
    """The shortest walk that is known to lead to a finding."""

    finding: Finding
    steps: list[Step]
    seed: int
    told: list[str]
    pages: Counter[str] = field(default_factory=Counter)  # on which it was met, how often

    def report(self) -> str:
        """What was said, what was so, and the steps that led there."""
        finding = self.finding
        kind = "UNKNOWN SENTENCE" if finding.is_unknown else "CONTRADICTION"
        pages = ", ".join(f"{page} {count}" for page, count in self.pages.most_common())
        lines = [f"{kind} ({pages}): {finding.said[:300]}"]
        if not finding.is_unknown:
            lines.append(f"  “{finding.claim}”, but {finding.so}")
        lines += [f"  {number}. {told}" for number, told in enumerate(self.told, 1)]
        return "\n".join(lines)


@dataclass(slots=True)
class Campaign:
    seed: int
    walks: int = 0
    steps: int = 0
    pages: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    cases: dict[str, Case] = field(default_factory=dict)

    @property
    def is_well(self) -> bool:
        return not self.cases

    def take(self, runs: int) -> None:
        """Take so many walks, then look for shorter ones that find the same."""
        with Sandbox() as sandbox, site(sandbox, Clock()) as portal:
            for number in range(runs):
                seed = self.seed * 1_000_000 + number
                self._take_one(portal, draw(seed), seed)
                if self.walks % TOLD_EVERY == 0:
                    print(f"{self.walks} walks, {len(self.cases)} findings", file=sys.stderr)
            for key, case in self.cases.items():
                if not case.finding.is_unknown:
                    self._shorten(portal, key)

    def _take_one(self, portal: Portal, steps: list[Step], seed: int) -> None:
        walked = walk(portal, steps, seed)
        self.walks += 1
        self.steps += len(steps)
        self.pages.update(walked.oracle.pages)
        self.checked.update(walked.oracle.checked)
        for at, finding in walked.findings:
            self.wrong[finding.claim] += 1
            part = steps[: at + 1]
            case = self.cases.get(finding.claim)
            if case is None:
                case = Case(finding, part, seed, walked.told[: at + 1])
                self.cases[finding.claim] = case
            elif len(part) < len(case.steps):
                case.finding, case.steps, case.seed = finding, part, seed
                case.told = walked.told[: at + 1]
            case.pages[finding.page] += 1

    def _shorten(self, portal: Portal, key: str) -> None:
        """Leave out one step after the other, as long as the rest still leads there."""
        case, tries, at = self.cases[key], 0, 0
        while at < len(case.steps) and tries < _TRIES:
            part = [*case.steps[:at], *case.steps[at + 1 :]]
            tries += 1
            if found := _found(portal, part, case.seed, key):
                case.steps = part
                case.finding, case.told = found
            else:
                at += 1

    # --- what is printed --------------------------------------------------------------------------

    def tell(self, seconds: float) -> None:
        for case in sorted(self.cases.values(), key=lambda each: each.finding.is_unknown):
            print(f"\n{case.report()}")
        print(f"\n{self.walks} walks, {self.steps} steps in {seconds:.0f} s")
        print("pages read:", ", ".join(f"{kind} {n}" for kind, n in self.pages.most_common()))
        duties = sorted({*self.checked} - {claim.name for claim in CLAIMS})
        for words in dict.fromkeys([*(claim.name for claim in CLAIMS), *duties]):
            print(f"{self.checked[words]:>8} {self.wrong[words]:>6}  {words[:110]}")
        unknown = sum(case.finding.is_unknown for case in self.cases.values())
        kinds = len(self.cases) - unknown
        total = sum(
            self.wrong[name] for name, case in self.cases.items() if not case.finding.is_unknown
        )
        print(
            f"claims checked {self.checked.total()}, contradictions {total} of {kinds} kinds, "
            f"unknown sentences {unknown}"
        )


def _found(
    portal: Portal, steps: Sequence[Step], seed: int, key: str
) -> tuple[Finding, list[str]] | None:
    walked = walk(portal, steps, seed)
    for at, finding in walked.findings:
        if finding.claim == key:
            return finding, walked.told[: at + 1]
    return None
