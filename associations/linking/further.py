"""Further records of the second side: the first one is linked to each of them by itself."""

import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from associations.form_fields import validation_error
from associations.hubspot.record_references import (
    Pair,
    PairReason,
    Problem,
    Reason,
    Side,
    read_pair,
)
from associations.hubspot.unseen import bare
from associations.linking.several import MOST

AT_ID = "to_object_id"
_NO_TYPE = _("Say its type as well, such as company 903.")


class _Lines(forms.Textarea):
    """One record a line; a page's script may send a field of this name for each instead."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        values = data.getlist(name) if hasattr(data, "getlist") else [data.get(name) or ""]
        return "\n".join(values)


class FurtherField(forms.CharField):
    """Cleans to the lines that say something, each once."""

    most = MOST  # pairs, the first one with them

    def __init__(self) -> None:
        super().__init__(
            label=_("Further records"),
            required=False,
            help_text=_(
                "One a line: an id, such as company 903, or the record's address from HubSpot. "
                "“This record” is linked to each of them as well."
            ),
            widget=_Lines({"rows": 3, "autocapitalize": "off", "spellcheck": "false"}),
        )

    def clean(self, value: Any) -> Any:
        lines = (bare(line) for line in re.split(r"[\n\r]|[,;]\s", super().clean(value)))
        found = list(dict.fromkeys(filter(None, lines)))
        if len(found) >= MOST:
            facts = {"limit": MOST, "count": len(found) + 1}
            raise ValidationError(
                _("Link at most %(limit)s pairs at once; these are %(count)s."), "many", facts
            )
        return found


def read_further(
    first: Pair, lines: Sequence[str], **options: Any
) -> tuple[list[Side], list[ValidationError]]:
    """Return the record that each line names, and what is wrong with the others.

    `options` are read_pair()'s. A line without a type has that of the first pair's second record;
    what is said twice counts once.
    """
    found, errors = dict[tuple[Any, str], Side](), []
    for line in lines:
        side, problem = _read(first, line, **options)
        if problem:
            errors.append(_error(line, problem))
        elif side[:2] != first.to[:2]:
            found.setdefault(side[:2], side)
    return list(found.values()), errors


def _read(first: Pair, line: str, **options: Any) -> tuple[Side, Problem | None]:
    pair = read_pair({AT_ID: line}, **options)
    if pair.to.object_type is None and first.to.object_type:
        pair = read_pair({AT_ID: line}, chosen={"to": first.to.object_type}, **options)
    own = (each for each in pair.problems if each.field.startswith("to"))
    return pair.to, next(own, None) or _problem_beside(first.from_, pair.to)


def _problem_beside(from_: Side, to: Side) -> Problem | None:
    """What is wrong with a record only beside the first one, as read_pair() has it."""
    if from_[:2] == to[:2]:
        return Problem(AT_ID, PairReason.ITSELF, {})
    if from_.portal_id and to.portal_id and from_.portal_id != to.portal_id:
        facts: dict[str, str | int] = {"portal": to.portal_id, "expected": from_.portal_id}
        return Problem(AT_ID, Reason.ANOTHER_PORTAL, facts)
    return None


def _error(line: str, problem: Problem) -> ValidationError:
    sentence = _NO_TYPE if problem.code == PairReason.NO_TYPE else None
    told = validation_error(problem.code, sentence, **problem.facts).messages[0]
    message = _("“%(text)s”: %(why)s")
    return validation_error(problem.code, message, text=line, why=told)
