"""What a sign-in told of somebody's groups, for an admin to see why none of them gives a role.

Names count only to the letter: whoever may name a group something like "/support" might make
themselves a member of "support". What nearly fits is told instead.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from django.conf import settings

SHOWN = 20
NAME_LENGTH = 100
_HINTS = 3
ROLES = ("SSO_SUPPORT_GROUPS", "SSO_ADMIN_GROUPS")


@dataclass(frozen=True, slots=True)
class Told:
    """The first few names, how many there were, and for the log what may be the matter."""

    names: list[str]
    count: int
    has_overage: bool
    hint: str
    request_id: str = ""

    @classmethod
    def of(cls, names: Sequence[str], instead: str = "", *, has_overage: bool = False) -> Self:
        """`instead` says what came in place of groups, or that nothing did."""
        return cls(
            names=[name[:NAME_LENGTH] for name in names[:SHOWN]],
            count=len(names),
            has_overage=has_overage,
            hint=instead or "; ".join(_near_misses(names)) or f"none is in {' or '.join(ROLES)}",
        )

    @classmethod
    def by_claims(cls, claims: Mapping[str, Any], name: str, value: Any, names: list[str]) -> Self:
        """`value` is what the claim of that name holds, `names` what of it counts as groups."""
        has_overage = _announces_overage(claims, name)
        instead = "" if names else _instead(claims, name, value)
        if has_overage and not names:
            instead = f"the provider announced an overage: more groups than {name!r} may hold"
        return cls.of(names, instead, has_overage=has_overage)

    @property
    def more(self) -> int:
        return self.count - len(self.names)

    def facts(self) -> dict[str, Any]:
        """Return it for the log."""
        more = f" and {self.more} more" if self.more else ""
        return {"hint": self.hint, "groups": f"{self.count}: {_listed(self.names)}{more}"}

    def stored(self, request_id: str) -> dict[str, Any]:
        """Return it for a session, with the request that an admin finds in the log."""
        return asdict(self) | {"request_id": request_id}


def _instead(claims: Mapping[str, Any], name: str, value: Any) -> str:
    if name == "email" and claims.get("email"):
        return "the provider does not say that the e-mail address is verified (email_verified)"
    if value is None:
        came = _listed(sorted(map(str, claims))[:SHOWN])
        return f"the claim {name!r} (SSO_GROUPS_CLAIM) did not come; these did: {came}"
    if value in ("", []):
        return f"the claim {name!r} is empty: the provider names no group of this person's"
    kind = (
        f"a list of {type(value[0]).__name__}" if isinstance(value, list) else type(value).__name__
    )
    return f"the claim {name!r} holds {kind}, where a text or a list of texts has to be"


def _announces_overage(claims: Mapping[str, Any], name: str) -> bool:
    """Whether there are more groups than the token holds, as Entra ID and others put it."""
    elsewhere = claims.get("_claim_names")
    names = {name, name.split(".")[0], "groups"}
    is_elsewhere = isinstance(elsewhere, Mapping) and not names.isdisjoint(elsewhere)
    return is_elsewhere or claims.get("hasgroups") in (True, "true")


def _near_misses(names: Iterable[str]) -> Iterator[str]:
    """Say which names fit but for a path, the case, what cannot be seen, or a separator."""
    known = {_bare(group): (group, role) for role in ROLES for group in getattr(settings, role)}
    found = 0
    for name in names:
        if _bare(name) in known:
            group, role = known[_bare(name)]
            yield f"the provider sent {name[:NAME_LENGTH]!r}; {role} has {group!r}"
        elif any(_bare(part) in known for part in name.replace(";", ",").split(",")):
            yield f"the provider sent {name[:NAME_LENGTH]!r} as one text; it has to be a list"
        else:
            continue
        found += 1
        if found == _HINTS:
            return


def _bare(name: str) -> str:
    """Return a name without its path (`/a/b`, `cn=b,ou=a`), case, spaces and what is not seen."""
    seen = "".join(filter(str.isprintable, name)).strip().casefold()
    if seen.startswith("cn="):
        seen = seen.removeprefix("cn=").split(",")[0]
    return seen.rstrip("/").rsplit("/")[-1]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "none"
