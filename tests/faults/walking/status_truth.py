"""Whether what the status page says is so. Each docstring is what was so instead."""

from associations.hubspot.outcomes import Outcome
from associations.models import (
    OPEN_OUTCOMES,
    AssociationAttempt,
    AssociationBatch,
    AssociationRequest,
    BulkRun,
)
from associations.models.bulk import UNDER_WAY
from tests.faults.walking.pages import Page, Text
from tests.faults.walking.saying import Saying, pause_of_the_page
from tests.faults.walking.world import World

_LEVELS = {"well": 0, "linked": 0, "unknown": 1, "unconfirmed": 2, "warning": 2}
_LEVELS |= {"wrong": 3, "rejected": 3, "unreachable": 3}


def level(text: Text) -> int:
    return max((_LEVELS[each] for each in text.tone.split() if each in _LEVELS), default=-1)


def items(page: Page) -> list[tuple[int, str]]:
    """Each line of the page: its level, and its first sentence."""
    found = []
    for at, text in enumerate(page.texts):
        if text.place.startswith("outcome") and text.text in _WORDS:
            rest = (each.text for each in page.texts[at + 1 :] if each.place == "")
            found.append((level(text), next(rest, "")))
    return found


_WORDS = {"in order", "attention", "problem", "not known"}


def headline(page: Page) -> Text | None:
    """The notice right below the page's name."""
    return next((text for text in page.texts if "notice" in text.tone.split()), None)


def nothing_is_wrong(say: Saying) -> bool:
    """a line of the page is worse, a run was stopped, or the token is refused"""
    stopped = BulkRun.objects.filter(state="paused").exclude(stop_cause="").exists()
    is_worse = any(found > 0 for found, _ in items(say.page))
    return not (is_worse or stopped or say.world.trouble.is_refused)


def first_line_is_the_worst(world: World, page: Page) -> bool:
    """the first line is not the worst line's sentence, or not in its colour"""
    shown, lines = headline(page), items(page)
    worst = max((found for found, _ in lines), default=0)
    if shown is None or worst < 2:
        return shown is not None
    sentences = [sentence for found, sentence in lines if found == worst]
    return level(shown) == worst and any(each in page.whole_notice for each in sentences)


def token_is_accepted(say: Saying) -> bool:
    """HubSpot refuses the token"""
    return not say.world.trouble.is_refused


def token_is_refused(say: Saying) -> bool:
    """HubSpot accepts the token"""
    return say.world.trouble.is_refused


def runs_stand_still(say: Saying) -> bool:
    """a worker is alive, or no run is under way"""
    return not say.world.has_worker and BulkRun.objects.filter(state__in=UNDER_WAY).exists()


def no_run_needs_a_worker(say: Saying) -> bool:
    """a worker is alive, or a run is under way"""
    return not (say.world.has_worker or BulkRun.objects.filter(state__in=UNDER_WAY).exists())


def workers_run(say: Saying) -> bool:
    """no worker is alive"""
    return say.world.may_have_worker()


def runs_wait(say: Saying) -> bool:
    """no run waits, nor did when the page was made"""
    return pause_of_the_page() is not None


def process_has_ended(say: Saying) -> bool:
    """no process that was at the entry has ended: it waits for its turn"""
    entry = AssociationRequest.objects.get(pk=say.number())
    return entry.outcome == Outcome.SENDING


def entry_is_under_way(say: Saying) -> bool:
    """the entry waits in a run that is not under way"""
    entry = AssociationRequest.objects.get(pk=say.number())
    is_running = entry.run is not None and entry.run.state in UNDER_WAY
    return entry.outcome == Outcome.SENDING or (entry.is_open and is_running)


def no_entry_is_open(say: Saying) -> bool:
    """an entry is open"""
    return not AssociationRequest.objects.filter(outcome__in=OPEN_OUTCOMES).exists()


def no_scope_was_wanted(say: Saying) -> bool:
    """HubSpot refused calls for want of a scope"""
    wants = ("no scope at all", "no scope to write")
    return not any(call.trouble in wants for call in say.world.portal.heard)


def scope_was_wanted(say: Saying) -> bool:
    """HubSpot refused no call for want of a scope"""
    return not no_scope_was_wanted(say)


def run_has_stopped(say: Saying) -> bool:
    """no run has paused by itself"""
    return BulkRun.objects.filter(state="paused").exclude(stop_cause="").exists()


def run_is_paused(say: Saying) -> bool:
    """nobody has paused a run"""
    return BulkRun.objects.filter(state="paused", stop_cause="").exists()


def entry_waits_in_its_run(say: Saying) -> bool:
    """the entry is closed, or of no run"""
    entry = AssociationRequest.objects.get(pk=say.number())
    return entry.is_open and entry.run_id is not None


def calls_of_today(say: Saying) -> bool:
    """the log has other numbers"""
    midnight = say.world.now.replace(hour=0, minute=0, second=0, microsecond=0)
    exchanges = [
        *AssociationAttempt.objects.filter(started_at__gte=midnight),
        *AssociationBatch.objects.filter(started_at__gte=midnight),
    ]
    good = [e for e in exchanges if 200 <= (e.http_status or 0) < 300 and not e.failure]
    return (say.number("total"), say.number()) == (len(exchanges), len(exchanges) - len(good))


def failures_are_right(say: Saying) -> bool:
    """the log has other numbers"""
    attempts = AssociationAttempt.objects.all()
    good = attempts.filter(http_status__gte=200, http_status__lt=300, failure="").count()
    told = say.number(), say.number("total")
    return told == (attempts.count() - good, attempts.count())
