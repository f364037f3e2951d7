"""The form: link two records."""

import secrets
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from associations.linking.forms import TwoRecordsForm


class AssociationForm(TwoRecordsForm):
    """From which record, to which record, and why."""

    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=500,
        help_text=_("For the audit log, such as a ticket number."),
        error_messages={
            "max_length": _("Keep the reason to 500 characters; this has %(show_value)s.")
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
        # The browser would cut what is too long without a word.
        del self.fields["reason"].widget.attrs["maxlength"]
        # After a reload some browsers fill in what a field had before; here that were an old token.
        self.fields["submit_token"].widget.attrs["autocomplete"] = "off"

    @classmethod
    def prefilled(
        cls, query: QueryDict, submit_token: str = "", **options: Any
    ) -> "AssociationForm":
        """Return a form filled in but neither checked nor sent, with a one-time token."""
        initial = {name: query[name] for name in cls.TYPED_FIELDS if name in query}
        initial["submit_token"] = submit_token or secrets.token_urlsafe(24)
        return cls(initial=initial, **options)

    def clean_reason(self) -> str:
        return " ".join(self.cleaned_data["reason"].split())

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
