"""The words of this project as form fields."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from associations.hubspot.object_types import ObjectType, UnknownObjectTypeError, resolve
from associations.hubspot.record_ids import RecordIdError, read_record_id


class ObjectTypeField(forms.CharField):
    """Any name of an object type; cleans to its ObjectType, None if nothing was written."""

    def clean(self, value: Any) -> ObjectType | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return resolve(text)
        except UnknownObjectTypeError:
            raise ValidationError(
                "No object type called “%(text)s” is known here. Choose one from the list, such as "
                "Contact or Company; a custom object goes by its id, such as 2-4001.",
                params={"text": _shortened(text)},
            ) from None


class RecordIdField(forms.CharField):
    """A record's id; cleans to 1 to 20 digits without leading zeros, or to nothing."""

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        try:
            return read_record_id(text) if text else ""
        except RecordIdError as error:
            raise ValidationError(str(error)) from None


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
