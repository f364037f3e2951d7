import html
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from django.core.management.base import CommandParser
from django.db import Error as DBError
from django.utils.html import strip_tags
from django.utils.translation import gettext, ngettext

from associations.audit.recorder import LogUnavailableError
from associations.audit.throttling import ThrottledError
from associations.finding.finder import Found, Hit, Why
from associations.finding.texts import NOT_LOGGED, sentence_of
from associations.gateway.account import form_options
from associations.hubspot.outcomes import Cause, Outcome
from associations.hubspot.unseen import visible
from associations.linking.boxes import Option, find_unknown, understood
from associations.linking.forms import AssociationForm
from associations.linking.preview import Preview
from associations.linking.seen import Record, Seen, names_of
from associations.linking.services import create_association
from associations.linking.views import preview_context
from associations.management.acting import (
    ActingCommand,
    BrokenOffError,
    EndedError,
    Exit,
    break_off,
    broken_off,
    signals_taken,
)
from associations.models import AssociationRequest
from associations.texts.outcomes import explain
from hubadmin.models import User
from hubadmin.web.access import may_act, watch

_BY_OUTCOME = {
    Outcome.LINKED: Exit.DONE,
    Outcome.REJECTED: Exit.REFUSED,
    Outcome.CANCELED: Exit.NOT_SENT,
}
Facts = dict[str, Any]


class Command(ActingCommand):
    help = (
        "Link two records as the form does, in somebody's name, once it is certain which are meant:"
        " an id, an address, an e-mail address, or a domain that one company has. A name lists who"
        " it may be. Writes JSON."
    )
    name = "link"

    def add_arguments(self, parser: CommandParser) -> None:
        example = "as the form takes it, its type before it, such as"
        parser.add_argument("from_", metavar="FROM", help=f"{example} contact:ada@example.com")
        parser.add_argument("to", metavar="TO", help=f"{example} company:902")

    def act(self, user: User, options: Mapping[str, Any]) -> tuple[Exit, str, Facts]:
        try:
            with signals_taken(break_off):
                association, facts, seen = self.looked_up(user, options)
        except BrokenOffError:
            raise broken_off() from None
        except DBError as error:
            raise _log_unavailable() from error
        # A signal now waits until HubSpot has answered and the log says so.
        with signals_taken(lambda *_: None):
            entry = self.sent(user, association, seen, facts)
        return _ended(entry, facts)

    def looked_up(
        self, user: User, options: Mapping[str, Any]
    ) -> tuple[dict[str, str], Facts, dict[Record, Seen]]:
        """Return the pair that is meant, what is known of it, and what the log keeps of that."""
        fields = {
            "from_object_id": options["from_"],
            "to_object_id": options["to"],
            "reason": options["reason"],
        }
        known = form_options()
        form = AssociationForm(fields, **known)
        found = find_unknown(form, user=user, meta=self.meta())
        found = {side: _certain(each) for side, each in found.items()}
        form = AssociationForm(
            understood(form, found),
            found={side: each for side, each in found.items() if not each.chosen},
            **known,
        )
        if not form.is_valid():
            raise _not_certain(form, found)
        shown = preview_context(form, user)
        association = form.association()
        facts = _facts_of(association, options, shown)
        _demand_pair(shown["preview"], facts)
        typed = {side: each.typed for side, each in found.items()}
        return association, facts, _seen_of(association, shown["preview"], typed)

    def sent(
        self, user: User, association: dict[str, Any], seen: dict[Record, Seen], facts: Facts
    ) -> AssociationRequest:
        try:
            return create_association(
                user=user,
                meta=self.meta(),
                names=names_of(association, seen),
                is_still_in=watch(partial(may_act, user.pk)),
                **association,
            )
        except ThrottledError as error:
            text = ngettext(
                "This person has sent as much as one may within a minute. Nothing was sent: try "
                "again in {seconds} second.",
                "This person has sent as much as one may within a minute. Nothing was sent: try "
                "again in {seconds} seconds.",
                error.wait_seconds,
            ).format(seconds=error.wait_seconds)
            facts |= {"reason": "too_many_submits", "wait_seconds": error.wait_seconds}
            raise EndedError(Exit.NOT_SENT, text, **facts) from error
        except LogUnavailableError as error:
            raise _log_unavailable(**facts) from error


def _log_unavailable(**facts: Any) -> EndedError:
    text = gettext("The audit log cannot be written at the moment, so nothing was sent.")
    return EndedError(Exit.NOT_SENT, text, **facts | {"reason": "log_unavailable"})


# --- which records --------------------------------------------------------------------------------


def _certain(found: Found) -> Found:
    """Take the one company that has a domain for the one that is meant; of words never one."""
    if found.why == Why.CHOOSE and found.facts.get("total") == 1 and len(found.hits) == 1:
        (hit,) = found.hits
        own = hit.record.detail.partition(" · ")[0].lower().removeprefix("www.")
        if found.typed and own == found.typed and hit.object_type.canonical == "companies":
            return replace(found, chosen=hit, why="")
    return found


_UNSENT = {
    **dict.fromkeys((Why.TOO_MANY_FINDS, Why.NOT_SHOWN, NOT_LOGGED), Exit.NOT_SENT),
    Why.EMPTY: Exit.USAGE,
}


def _not_certain(form: AssociationForm, found: Mapping[str, Found]) -> EndedError:
    """Tell what is wrong with the first of the fields, and which records each side could mean."""
    name, sentences = next(iter(form.errors.items()))
    unknown = found.get(name.partition("_")[0])
    if unknown and not unknown.chosen:
        is_finder = unknown.why in [*Why, NOT_LOGGED]
        code = _UNSENT.get(str(unknown.why), Exit.NAMES_NONE if is_finder else Exit.USAGE)
        sentence, reason = sentence_of(unknown), str(unknown.why)
    else:
        code, sentence = Exit.USAGE, str(sentences[0])
        reason = str(form.errors.as_data()[name][0].code)
    candidates = {
        side: [_candidate(hit) for hit in each.hits] for side, each in found.items() if each.hits
    }
    of_side = {"from": gettext("From: {text}"), "to": gettext("To: {text}")}
    side = of_side.get(name.partition("_")[0], "{text}")
    text = gettext("{text} Nothing was sent.").format(text=side.format(text=sentence))
    return EndedError(code, text, reason=reason, field=name, candidates=candidates)


def _candidate(hit: Hit) -> Facts:
    option = Option(hit)
    told = {"write": option.reference, "name": hit.record.name, "detail": hit.record.detail}
    return {name: visible(text) for name, text in told.items()}


# --- what is known of them ------------------------------------------------------------------------


def _facts_of(
    association: Mapping[str, str], options: Mapping[str, Any], shown: Mapping[str, Any]
) -> Facts:
    seen: Preview = shown["preview"]
    facts: Facts = {}
    for side, given, card in (
        ("from", options["from_"], seen.from_),
        ("to", options["to"], seen.to),
    ):
        facts[side] = {
            "given": visible(given),
            "type": association[f"{side}_object_type"],
            "id": association[f"{side}_object_id"],
            "name": visible(card.record.name) if card and card.record else "",
        }
    link = seen.links.link if seen.links else None
    is_told = seen.links is not None and seen.links.error is None
    facts["before"] = {
        "linked": link.is_default if link else (False if is_told else None),
        "labels": [visible(each) for each in link.labels] if link else [],
        "not_told": [str(each) for each in shown["reasons"]],
    }
    return facts


def _demand_pair(seen: Preview, facts: Facts) -> None:
    """End here where HubSpot lacks a record, or has the link already. Raises EndedError."""
    for side, card in (("from", seen.from_), ("to", seen.to)):
        if card and card.is_missing:
            text = gettext("HubSpot has no {record}. Nothing was sent.").format(record=card.label)
            field = f"{side}_object_id"
            raise EndedError(Exit.NAMES_NONE, text, reason="missing", field=field, **facts)
    if facts["before"]["linked"]:
        text = gettext("They are linked already. Nothing was sent.")
        raise EndedError(Exit.DONE, text, result="linked_already", **facts)


def _seen_of(
    association: Mapping[str, str], seen: Preview, typed: Mapping[str, str]
) -> dict[Record, Seen]:
    """What the log keeps of the names: those that were shown, and what found the records."""
    return {
        (association[f"{side}_object_type"], association[f"{side}_object_id"]): Seen(
            card.record.name if card and card.record else "", typed.get(side, "")
        )
        for side, card in (("from", seen.from_), ("to", seen.to))
    }


def _ended(entry: AssociationRequest, facts: Facts) -> tuple[Exit, str, Facts]:
    explanation = explain(entry)
    # All calls that this site allows itself were in use: HubSpot was not asked.
    is_unsent = entry.cause == Cause.RATE_LIMITED and entry.http_status is None
    code = Exit.NOT_SENT if is_unsent else _BY_OUTCOME.get(Outcome(entry.outcome), Exit.IN_DOUBT)
    told = [explanation.sentence, explanation.merged, explanation.verification]
    if code:
        told.append(html.unescape(strip_tags(explanation.next_step)))
    facts |= {"result": entry.outcome}
    facts["entry"] = {
        "id": entry.pk,
        "page": entry.get_absolute_url(),
        "outcome": entry.outcome,
        "cause": entry.cause,
        "linked": entry.linked or "perhaps",
        "was_linked": entry.was_linked,
        "verified": entry.verified,
        "http_status": entry.http_status,
        "correlation_id": entry.correlation_id,
    }
    return code, " ".join(filter(None, told)), facts
