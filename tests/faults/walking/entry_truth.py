"""Whether what a page says of an entry, or of two records, is so. Each docstring: what was so."""

import re
from datetime import datetime

from django.utils.formats import date_format

from associations.hubspot.outcomes import Cause, Linked, Outcome
from associations.texts.labels import word_for
from tests.faults.walking.hubspot import same
from tests.faults.walking.pages import Page
from tests.faults.walking.saying import Saying
from tests.faults.walking.world import World, pair_of


def always(say: Saying) -> bool:
    """nothing that could be wrong"""
    return True


def _was_linked(say: Saying, moment: datetime | None) -> bool:
    return bool(moment) and say.world.portal.is_linked(pair_of(say.entry), moment)


def _is_lie(say: Saying) -> bool:
    """HubSpot said that it had made the link, nobody looked, and nobody could know better."""
    entry = say.entry
    is_believed = entry.cause == Cause.CONFIRMED and entry.verified is None
    return is_believed and any(call.status in (200, 207) for call in say.calls)


def linked_at_the_end(say: Saying) -> bool:
    """the records were not linked when the entry was closed"""
    seen_at = say.entry.verified_at or say.entry.finished_at
    return _was_linked(say, seen_at) or _is_lie(say)


def linked_when_seen(say: Saying) -> bool:
    """the records were not linked when they were looked up afterwards"""
    return bool(say.entry.verified) and _was_linked(say, say.entry.verified_at)


def linked_before(say: Saying) -> bool:
    """the records were not linked when the entry was opened"""
    return _was_linked(say, say.entry.created_at)


def linked_all_along(say: Saying) -> bool:
    """the records were not linked both before and after"""
    return linked_before(say) and linked_at_the_end(say)


def not_linked_before(say: Saying) -> bool:
    """reads showed a link when the entry was opened"""
    return not say.world.portal.shows(pair_of(say.entry), say.entry.created_at)


def not_there_afterwards(say: Saying) -> bool:
    """reads showed the link when it was looked up afterwards"""
    return not say.world.portal.shows(pair_of(say.entry), say.entry.verified_at)


def not_linked_by_it(say: Saying) -> bool:
    """a call for this entry made the link"""
    return not any(same(pair_of(say.entry)) in call.made for call in say.calls)


def not_linked_at_the_end(say: Saying) -> bool:
    """the records were linked when the entry was closed"""
    return not _was_linked(say, say.entry.finished_at)


def not_linked_at_all(say: Saying) -> bool:
    """a call for this entry made the link, or the records were linked all the time"""
    return not_linked_by_it(say) and not (linked_before(say) and not not_linked_at_the_end(say))


def not_verified(say: Saying) -> bool:
    """the link was seen afterwards"""
    return not say.entry.verified


def waits_for_another_turn(say: Saying) -> bool:
    """it does not wait, or HubSpot heard no call for it"""
    return say.entry.outcome == Outcome.QUEUED and bool(say.calls)


def sent_before(say: Saying) -> bool:
    """HubSpot heard a call just now, or the entry was sent at another time"""
    told, sent_at = say.found["moment"], say.entry.sent_at
    return not say.calls_of_step and date_format(sent_at, "H:i") in told


def is_one_record(say: Saying) -> bool:
    """HubSpot has two records"""
    one, other = (
        say.world.portal.identity(each, say.entry.finished_at) for each in pair_of(say.entry)
    )
    return one == other


def was_merged(say: Saying) -> bool:
    """HubSpot has the record under another id"""
    record = say.record("record")
    return say.world.portal.identity(record)[1] == say.found["n"] or any(
        old == record and new == say.found["n"] for _, old, new in say.world.portal.merged
    )


def not_known(say: Saying) -> bool:
    """the log knows whether they are linked"""
    return say.entry.linked is Linked.PERHAPS or say.entry.verified is False


def hubspot_said_so(say: Saying) -> bool:
    """HubSpot confirmed nothing"""
    return say.entry.cause == Cause.CONFIRMED and was_accepted(say)


def was_accepted(say: Saying) -> bool:
    """HubSpot accepted no call for this entry"""
    return any(200 <= call.status < 300 for call in say.calls)


def not_sent(say: Saying) -> bool:
    """HubSpot heard a call for this entry"""
    return not say.calls


def waits_for_its_turn(say: Saying) -> bool:
    """HubSpot heard a call for this entry, or it waits no more"""
    return not_sent(say) and say.entry.outcome == Outcome.QUEUED


def is_open(say: Saying) -> bool:
    """the entry is closed"""
    return say.entry.is_open


def is_under_way(say: Saying) -> bool:
    """nothing of the entry is under way"""
    return say.entry.outcome == Outcome.SENDING


def is_its_outcome(say: Saying) -> bool:
    """the log has another outcome"""
    return say.found["word"] == word_for(say.entry.outcome)


def one_was_missing(say: Saying) -> bool:
    """HubSpot had both records"""
    has = say.world.portal.has
    return not all(has(record, say.entry.finished_at) for record in pair_of(say.entry))


def named_ones_were_missing(say: Saying) -> bool:
    """HubSpot had a record that it is said to lack"""
    names = [name for name in ("record", "other") if say.found.groupdict().get(name)]
    has = say.world.portal.has
    return not any(has(say.record(name), say.entry.finished_at) for name in names)


def has_no_default_type(say: Saying) -> bool:
    """the two types have a default type"""
    return {kind for kind, _ in pair_of(say.entry)} == {"0-7", "contacts"}


def words_stand_below(say: Saying) -> bool:
    """no word of HubSpot's stands on the page"""
    return say.page.has_hubspots_words


def check_was_right(say: Saying) -> bool:
    """HubSpot showed something else when it was checked"""
    told = [text for text in say.page.of("outcome") if text.text in _CHECKS]
    number = next(at for at, text in enumerate(told) if text is say.text)
    check = say.entry.checks.reverse()[number]
    wanted = _CHECKS[say.text.text]
    if wanted is None:
        return check.is_linked is None
    shown = say.world.portal.shows(pair_of(say.entry), check.checked_at, default=False)
    return check.is_linked is wanted and shown is wanted


_CHECKS = {
    "The records are linked.": True,
    "The records are not linked.": False,
    "This could not be seen.": None,
}


def nothing_sent_in_this_step(say: Saying) -> bool:
    """HubSpot heard a call just now"""
    return not say.calls_of_step


# --- what a page has to say -----------------------------------------------------------------------

_NOT_SENT_NOW = re.compile(r"nothing was sent (now|again)|was not sent again", re.I)


def tells_that_nothing_was_sent(world: World, page: Page) -> bool:
    """this was sent before, nothing was sent now, and the page does not say so"""
    calls = [call for call in world.portal.heard if call.at >= world.step_began]
    return world.resent is None or bool(calls) or bool(_NOT_SENT_NOW.search(page.whole))


def is_no_failure(world: World, page: Page) -> bool:
    """the page failed"""
    return page.status < 500
