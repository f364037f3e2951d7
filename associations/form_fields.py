"""What several forms ask for: an object type, a record's id."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from associations.gateway.object_types import TypeChoices, standard_choices
from associations.hubspot.object_types import ObjectType, UnknownObjectTypeError
from associations.hubspot.record_references import (
    Reason,
    RecordIdError,
    read_record_id,
)
from associations.hubspot.unseen import AROUND, named, unseen_in, visible
from associations.texts.references import SENTENCES, UNSEEN


class ObjectTypeField(forms.CharField):
    """Any name of an object type; cleans to its ObjectType, None if nothing was written."""

    types: TypeChoices | None = None  # HubSpot's own unless the form says which

    def offer(self, types: TypeChoices) -> None:
        """Understand these types, and suggest them while somebody types."""
        self.types = types
        self.widget.attrs["list"] = "object-types"

    def clean(self, value: Any) -> ObjectType | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return (self.types or standard_choices()).resolve(text)
        except UnknownObjectTypeError as error:
            reason = Reason.AMBIGUOUS_TYPE if error.candidates else Reason.UNKNOWN_TYPE
            raise validation_error(reason, text=text, choices=", ".join(error.candidates)) from None


class ReasonField(forms.CharField):
    """Why something is linked; cleans to one line."""

    def __init__(self, *, help_text: Any) -> None:
        too_long = _("Keep the reason to 500 characters; this has %(show_value)s.")
        super().__init__(
            label=_("Reason"),
            required=False,
            max_length=500,
            help_text=help_text,
            error_messages={"max_length": too_long},
        )
        del self.widget.attrs["maxlength"]  # the browser would cut what is too long without a word

    def clean(self, value: Any) -> str:
        text = " ".join(super().clean(value).split()).strip(AROUND)
        if unseen := unseen_in(text):
            raise validation_error("unseen", UNSEEN, characters=named(unseen))
        return text


class RecordIdField(forms.CharField):
    """A record's id; cleans to 1 to 20 digits without leading zeros, or to nothing."""

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        try:
            return read_record_id(text) if text else ""
        except RecordIdError as error:
            raise validation_error(error.reason, **error.facts) from None


def validation_error(code: str, sentence: Any = None, **facts: str | int) -> ValidationError:
    """Return the error that tells a reason in a sentence, by default the one for all fields."""
    if "text" in facts:
        facts["text"] = _shortened(str(facts["text"]))
    message: Any = sentence or SENTENCES[code]
    return ValidationError(message, code=str(code), params=facts)


def _shortened(text: str) -> str:
    return visible(text if len(text) <= 40 else text[:39] + "…")
