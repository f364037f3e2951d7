"""What the pages know of the HubSpot account: its number, its types. Asked for now and then.

A HubSpot that is slow or away takes nothing but what it would have told.
"""

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from time import time
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import cache
from django.db import Error as DBError
from django.utils.translation import get_language

from associations.gateway.cache import cached_lookup, is_fresh, run_concurrently, run_in_background
from associations.gateway.object_types import TypeChoice, TypeChoices, standard_choices
from associations.hubspot import lookups
from associations.hubspot.client import HubSpotClient, ReadError
from associations.hubspot.outcomes import Cause
from associations.hubspot.schemas import CustomType, Token, Usage
from associations.models import AssociationRequest
from associations.models.readable import with_readable

if TYPE_CHECKING:
    from hubadmin.models import User

T = TypeVar("T")
SECONDS, AT_WORST_SECONDS = 10 * 60, 24 * 60 * 60
LABEL_SECONDS = USED_SECONDS = 60
_TYPES = ("from_object_type", "to_object_type")
MOST_USED_OF = 100  # of a person's latest entries
_LABELS, _asking = "custom_labels", Lock()
_Labels = tuple[dict[str, str], float]  # by canonical type; until when nobody need ask again
_LOOKS = (lookups.custom_types, lookups.types_not_enabled)


def custom_objects() -> list[CustomType]:
    """Return the account's custom objects; none where HubSpot does not show them."""
    return _known(lookups.custom_types) or []


def custom_label(object_type: str) -> str:
    """Return what the account calls a custom object; empty where it is not known.

    Whole files ask for each of their rows: that costs a look into the cache, whether HubSpot shows
    anything or not. Only the first one to ask in a process waits for HubSpot.
    """
    known: _Labels | None = cache.get(_LABELS)
    if known is None:
        with _asking:  # not everybody at once
            known = cache.get(_LABELS) or _ask_for_labels()
    elif time() >= known[1] and cache.add(f"{_LABELS}.asking", True, LABEL_SECONDS):
        run_in_background(_ask_for_labels)
    return known[0].get(object_type, "")


def disabled_types() -> set[str]:
    """Return the ids of the types that are switched off in the account, as far as is known."""
    return _known(lookups.types_not_enabled) or set()


def granted_scopes() -> frozenset[str] | None:
    """Return what the token may; None where HubSpot does not tell it, as of service keys."""
    try:
        return cached_lookup(_token_told, seconds=LABEL_SECONDS).scopes
    except ReadError:
        return None


def calls_today() -> Usage | None:
    """Return how many calls HubSpot has taken of this app today; None if it does not tell."""
    try:
        return cached_lookup(lookups.usage, seconds=LABEL_SECONDS)
    except ReadError:
        return None


def portal_id() -> str:
    """Return the account's id, as set or else as HubSpot tells it; empty if neither is known."""
    if settings.HUBSPOT_PORTAL_ID:
        return settings.HUBSPOT_PORTAL_ID
    account = _known(lookups.account)
    return account.portal_id if account else ""


def display_property(object_type: str) -> str:
    """Return the property that names the records of a custom object; empty if it is not known."""
    properties = {each.object_type.canonical: each.display_property for each in custom_objects()}
    return properties.get(object_type, "")


def form_options() -> dict[str, Any]:
    """Return what AssociationForm has to know of the account."""
    return {
        "types": type_choices(),
        "portal_id": portal_id(),
        "ui_hosts": [urlsplit(settings.HUBSPOT_UI_URL).netloc],
    }


def type_choices() -> TypeChoices:
    """Return the types there are, under their labels in the active language."""
    if not all(map(is_fresh, _LOOKS)):
        run_concurrently(custom_objects, disabled_types, portal_id)
    return _choices(tuple(custom_objects()), frozenset(disabled_types()), get_language())


def offered_to(user: "User", types: TypeChoices) -> list[TypeChoice]:
    """Return the types in the order for a person: most used first, what is switched off last."""
    used = _how_often_used(user)
    return sorted(types, key=lambda each: (-used[each.object_type.canonical], not each.is_enabled))


@lru_cache(maxsize=8)
def _choices(
    custom: tuple[CustomType, ...], not_enabled: frozenset[str], language: str
) -> TypeChoices:
    """The types under their labels in the active language; made once for all who read it."""
    standard = (
        TypeChoice(each.object_type, each.label, each.object_type.type_id not in not_enabled)
        for each in standard_choices()
    )
    own = (TypeChoice(each.object_type, each.object_type.label) for each in custom)
    return TypeChoices([*standard, *own])


def _how_often_used(user: "User") -> Counter[str]:
    """How often of late; what is sent within a minute changes little in the order."""
    key = f"types-used-{user.pk}"
    if (known := cache.get(key)) is None:
        cache.set(key, known := _asked_how_often(user), USED_SECONDS)
    return known


def _asked_how_often(user: "User") -> Counter[str]:
    newest = with_readable(AssociationRequest.objects.by_hand(user).newest_first(), *_TYPES)
    pairs = newest.values_list(*_TYPES)[:MOST_USED_OF]
    try:
        return Counter(object_type for pair in pairs for object_type in pair)
    except DBError:
        return Counter()  # a log that cannot be read is no reason to show no form


def _ask_for_labels() -> _Labels:
    labels = {each.object_type.canonical: each.object_type.label for each in custom_objects()}
    known = labels, time() + LABEL_SECONDS
    cache.set(_LABELS, known, AT_WORST_SECONDS)
    return known


def _token_told(client: HubSpotClient) -> Token:
    """What is told of the token; a kind that HubSpot tells nothing of is not asked for at once."""
    try:
        return lookups.token_scopes(client)
    except ReadError as error:
        if error.cause in (Cause.REFUSED, Cause.RECORD_NOT_FOUND, Cause.FORBIDDEN):
            return Token("", None)
        raise


def _known(look: Callable[[HubSpotClient], T]) -> T | None:
    try:
        return cached_lookup(look, seconds=SECONDS, at_worst=AT_WORST_SECONDS)
    except ReadError:
        return None
