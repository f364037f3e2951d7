"""What is said of a text that names no record by itself, and how to go on."""

from collections.abc import Callable

from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from associations.finding.finder import Found, Hit, Why
from associations.form_fields import validation_error
from associations.hubspot.answers import missing_scopes_in
from associations.texts.labels import record_label, type_label
from associations.texts.lookup_errors import looks_used_up, reason_of_error
from associations.texts.references import SENTENCES
from associations.texts.remedies import remedy_of

WHICH_RECORD = _("Enter a name, an e-mail address, a domain, an id, or the record's address.")
NOT_LOGGED = "not_logged"  # nobody sees what was found by a search that the log does not have
_BY_WHY: dict[str, Promise] = {
    Why.EMPTY: WHICH_RECORD,
    Why.MISSING: _(
        "HubSpot has no record “%(label)s”. Check the id at the end of the record's address."
    ),
    Why.ARCHIVED: _(
        "“%(label)s” was deleted in HubSpot. Restore it there, or enter another record."
    ),
    Why.OTHER_TYPE: _("The record with this id is of another type: %(label)s."),
    NOT_LOGGED: _(
        "The audit log cannot be written at the moment, so nothing was looked for, nor could it be "
        "linked. Try it again in a minute."
    ),
    Why.FREE_MAIL: _(
        "%(domain)s gives mail addresses to anybody, so it is no company's domain. Enter the "
        "company's name."
    ),
}


def sentence_of(found: Found) -> str:
    """Return what stands in the place of a record's card, and is read out."""
    if found.chosen:
        return _named(found.chosen, found)
    if sentence := _COUNTED.get(str(found.why)):
        return sentence(found)
    if found.why in _BY_WHY:
        return str(_BY_WHY[str(found.why)]) % _facts(found)
    if found.why in SENTENCES:
        return " ".join(validation_error(str(found.why), None, **found.facts).messages)
    return str(WHICH_RECORD)


def _facts(found: Found) -> dict[str, str | int]:
    facts = dict(found.facts)
    if "object_id" in facts:
        object_type, object_id = str(facts["object_type"]), str(facts["object_id"])
        facts["label"] = record_label(object_type, object_id) if object_type else object_id
    return facts


def _named(hit: Hit, found: Found) -> str:
    """An exact key, while it is typed."""
    label = record_label(hit.object_type.canonical, hit.asked_id or hit.record.object_id)
    name = f"{hit.record.name}, {label}" if hit.record.name else label
    text = gettext("{record}. Enter or Tab takes it.").format(record=name)
    if found.why == Why.TOO_MANY_FINDS:
        return _after(looks_used_up(int(found.facts["seconds"])), text)
    return _after(reason_of_error(found.error), text) if found.error else text


def _choose(found: Found) -> str:
    count, total = len(found.hits), int(found.facts.get("total", 0))
    if total > count:
        text = gettext("The first {count} of {total} that are found. Choose one, or type more.")
        return text.format(count=count, total=total)
    text = ngettext(
        "{count} record is found. Choose it, or type more.",
        "{count} records are found. Choose one, or type more.",
        count,
    )
    return text.format(count=count)


def _not_yet(found: Found) -> str:
    ways = gettext(
        "HubSpot needs up to a minute for new records: paste the address of the record instead."
    )
    if not found.searched:
        return _after(gettext("Nothing is found yet."), ways)
    types = ", ".join(type_label(each.canonical) for each in found.searched)
    text = gettext("Nothing is found yet (looked for: {types}).").format(types=types)
    return _after(text, ways)


def _too_many(found: Found) -> str:
    seconds = int(found.facts.get("seconds", 1))
    text = ngettext(
        "You have searched for a lot. Search again in {seconds} second, or paste the address.",
        "You have searched for a lot. Search again in {seconds} seconds, or paste the address.",
        seconds,
    )
    return text.format(seconds=seconds)


def _not_shown(found: Found) -> str:
    text = gettext(
        "A record's address, or its type and id, such as contact 501, is enough to link it."
    )
    if not found.error:
        return text
    answer, reason = found.error.answer, reason_of_error(found.error)
    # Where nothing could be linked either, that is no way out.
    is_way_out = remedy_of(answer.cause, missing_scopes_in(answer.errors)).may_be_tried
    return _after(reason, text) if is_way_out else reason


def _after(first: str, second: str) -> str:
    # Translators: two sentences, one after the other
    return gettext("{first} {second}").format(first=first, second=second)


_COUNTED: dict[str, Callable[[Found], str]] = {
    Why.CHOOSE: _choose,
    Why.NOT_YET: _not_yet,
    Why.TOO_MANY_FINDS: _too_many,
    Why.NOT_SHOWN: _not_shown,
}
