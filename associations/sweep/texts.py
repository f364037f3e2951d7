"""What people read for what the daily look has found."""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from associations.hubspot.unseen import visible
from associations.models import AssociationCheck, Finding
from associations.texts.labels import from_label, to_label


class Told(NamedTuple):
    """An outcome whose colour and icon it has, a word for lists, and a sentence."""

    outcome: str
    word: str | Promise
    sentence: str | Promise


TOLD: dict[str, Told] = {
    Finding.GONE: Told(
        "rejected",
        pgettext_lazy("what became of a link", "gone"),
        _("The records are not linked any more."),
    ),
    Finding.OTHER_TYPE: Told(
        "unconfirmed",
        pgettext_lazy("what became of a link", "another type only"),
        _("The records are linked, but not by the default type any more."),
    ),
    Finding.MERGED: Told(
        "linked",
        pgettext_lazy("what became of a link", "record merged"),
        _("The link is there, under another id."),
    ),
    Finding.FROM_DELETED: Told(
        "rejected",
        pgettext_lazy("what became of a link", "record deleted"),
        _("{from_} was deleted or archived in HubSpot, and the link with it."),
    ),
    Finding.TO_DELETED: Told(
        "rejected",
        pgettext_lazy("what became of a link", "record deleted"),
        _("{to} was deleted or archived in HubSpot, and the link with it."),
    ),
    Finding.NOT_SEEN: Told(
        "unreachable",
        pgettext_lazy("what became of a link", "could not be seen"),
        _("HubSpot showed other links, but nothing of these records."),
    ),
    Finding.THERE_AGAIN: Told(
        "linked", pgettext_lazy("what became of a link", "there again"), _("The link is there.")
    ),
}
_MERGED_INTO_EACH_OTHER = _("Both are one record in HubSpot.")


def told_of(check: AssociationCheck) -> Told:
    """Return what is said of a finding; of a code that is not known here, the code."""
    told = TOLD.get(check.finding)
    if told is None:
        return Told("unconfirmed", visible(check.finding), visible(check.finding))
    if check.is_one_record:
        return Told("rejected", told.word, _MERGED_INTO_EACH_OTHER)
    sides = {"from_": from_label(check.entry), "to": to_label(check.entry)}
    return told._replace(sentence=str(told.sentence).format(**sides))
