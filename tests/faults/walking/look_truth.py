"""Whether what the form shows of two records is so. Each docstring is what was so instead."""

import re
from datetime import datetime, timedelta

from associations.gateway.account import LABEL_SECONDS
from associations.gateway.cache import FAILURE_SECONDS
from associations.linking.preview import LINKS_SECONDS
from associations.models import AssociationRequest
from tests.faults.walking.hubspot import Record, same
from tests.faults.walking.saying import Saying
from tests.faults.walking.world import pair_of


def _moments(say: Saying) -> list[datetime]:
    """When it may have been seen: now, or within the seconds for which a look is remembered.

    What this site has done itself meanwhile it has to know.
    """
    now = say.world.now
    since = now - timedelta(seconds=LINKS_SECONDS)
    one, other = say.pair
    for entry in AssociationRequest.objects.filter(finished_at__gt=since):
        if same(pair_of(entry)) == same((one, other)):
            since = max(since, entry.finished_at or since)
    spans = say.world.portal.spans_of(say.pair)
    changes = [at for span in spans for at in (span.made, span.seen, span.ended) if at]
    return [since, *(at for at in changes if since <= at <= now), now]


def linked_now(say: Saying) -> bool:
    """the records are not linked"""
    return any(say.world.portal.shows(say.pair, at) for at in _moments(say))


def linked_now_by_a_label(say: Saying) -> bool:
    """the records are not linked by a label alone"""
    shows, moments = say.world.portal.shows, _moments(say)
    return any(shows(say.pair, at, default=False) and not shows(say.pair, at) for at in moments)


def not_linked_now(say: Saying) -> bool:
    """the records are linked"""
    shows, moments = say.world.portal.shows, _moments(say)
    return not all(shows(say.pair, at, default=False) for at in moments)


def others_are_linked(say: Saying) -> bool:
    """neither record is linked to all of these"""
    since = say.world.now - timedelta(seconds=LINKS_SECONDS)
    others = re.findall(r"\((\d+)\)", say.found[0])
    one, other = say.pair

    def is_linked(record: Record, object_type: str, object_id: str) -> bool:
        spans = say.world.portal.spans_of((record, (object_type, object_id)))
        return any(not span.ended or span.ended >= since for span in spans)

    sides = (one, other[0]), (other, one[0])
    return any(all(is_linked(each, type_, pk) for pk in others) for each, type_ in sides)


def is_missing_now(say: Saying) -> bool:
    """HubSpot has the record"""
    record, now = say.record("record"), say.world.now
    since = now - timedelta(seconds=FAILURE_SECONDS)
    has = say.world.portal.has
    return not (has(record, now) and has(record, since))


def may_be_linked(say: Saying) -> bool:
    """what keeps all from being linked is known, and lasts"""
    near, has_looked = say.world.was_in_trouble(0), not say.world.previews_used_up
    tries = "try" in say.found[0]  # which is no promise where a scope to write may be missing, too
    lasting = [each for each in near if each.lasts and not (tries and each.granted is not None)]
    is_kept = any(each.meets_links and each.meets_looks for each in lasting)
    is_seen = has_looked and not any(each.meets_looks for each in near)
    lacks_one = not all(map(say.world.portal.has, say.pair))
    return not (has_looked and is_kept) and not (is_seen and lacks_one)


def trouble(*names: str):
    """Whether this is what is wrong, or was until a moment ago."""

    def is_so(say: Saying) -> bool:
        return any(each.name in names for each in say.world.was_in_trouble(FAILURE_SECONDS))

    is_so.__doc__ = f"HubSpot is otherwise (not: {', '.join(names)})"
    return is_so


def scopes_to_write_lack(say: Saying) -> bool:
    """the token has every scope to write, and had until a minute ago"""
    near = say.world.was_in_trouble(LABEL_SECONDS)
    return any(each.granted is not None and each.meets_links for each in near)


def looks_fail(say: Saying) -> bool:
    """everything could be looked up"""
    if "did not answer in time" in say.page.whole:
        return True  # as on a busy machine a sandbox may not
    near = say.world.was_in_trouble(FAILURE_SECONDS)
    return bool(say.world.previews_used_up) or any(each.meets_looks for each in near)


def one_record_now(say: Saying) -> bool:
    """HubSpot has two records"""
    one, other = map(say.world.portal.identity, say.pair)
    return one == other


def looked_enough(say: Saying) -> bool:
    """this person may look up more"""
    return bool(say.world.previews_used_up)
