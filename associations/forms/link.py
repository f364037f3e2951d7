"""The form: link two records."""

import secrets
from typing import Any

from django import forms
from django.http import QueryDict

from .fields import ObjectTypeField, RecordIdField


class AssociationForm(forms.Form):
    """From which record, to which record, and why."""

    from_object_type = ObjectTypeField(
        label="Type", error_messages={"required": "Choose the type of the first record."}
    )
    from_object_id = RecordIdField(
        label="Record id", error_messages={"required": "Enter the id of the first record."}
    )
    to_object_type = ObjectTypeField(
        label="Type", error_messages={"required": "Choose the type of the second record."}
    )
    to_object_id = RecordIdField(
        label="Record id", error_messages={"required": "Enter the id of the second record."}
    )
    reason = forms.CharField(
        label="Reason",
        required=False,
        max_length=500,
        help_text="For the audit log, such as a ticket number.",
        error_messages={
            "max_length": "Keep the reason to 500 characters; this has %(show_value)s."
        },
    )
    submit_token = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    TYPED_FIELDS = (
        "from_object_type",
        "from_object_id",
        "to_object_type",
        "to_object_id",
        "reason",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # After a reload some browsers fill in what a field had before; here that were an old token.
        for name in ("from_object_type", "to_object_type"):
            self.fields[name].widget.attrs["list"] = "object-types"
        for name in ("from_object_id", "to_object_id"):
            self.fields[name].widget.attrs["inputmode"] = "numeric"
        # The browser would cut what is too long without a word.
        del self.fields["reason"].widget.attrs["maxlength"]
        self.fields["submit_token"].widget.attrs["autocomplete"] = "off"

    @classmethod
    def prefilled(cls, query: QueryDict, submit_token: str = "") -> "AssociationForm":
        """Return a form filled in but neither checked nor sent, with a one-time token."""
        initial = {name: query[name] for name in cls.TYPED_FIELDS if name in query}
        return cls(initial=initial | {"submit_token": submit_token or secrets.token_urlsafe(24)})

    def clean_reason(self) -> str:
        return " ".join(self.cleaned_data["reason"].split())

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        from_type, to_type = data.get("from_object_type"), data.get("to_object_type")
        from_id, to_id = data.get("from_object_id"), data.get("to_object_id")
        if from_type and from_id and (from_type, from_id) == (to_type, to_id):
            self.add_error(
                "to_object_id", "A record cannot be linked to itself. Enter another record here."
            )
        return data

    def association(self) -> dict[str, str]:
        """Return what services.create_association() asks for; the form must be valid."""
        data = self.cleaned_data
        return {
            "from_object_type": data["from_object_type"].canonical,
            "from_object_id": data["from_object_id"],
            "to_object_type": data["to_object_type"].canonical,
            "to_object_id": data["to_object_id"],
            "reason": data["reason"],
            "submit_token": data["submit_token"],
        }
