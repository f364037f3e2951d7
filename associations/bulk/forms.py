"""The forms of bulk runs: upload rows, and start what was understood of them."""

from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from associations.form_fields import ObjectTypeField, ReasonField
from associations.gateway.object_types import TypeChoices, standard_choices
from associations.models import SendMode

TYPE_FIELDS = ("from_object_type", "to_object_type")
TOO_LARGE = "too_large"
_TOO_LARGE = _("This file has %(size)s; %(limit)s are taken. Divide it, and upload the parts.")
NOT_KEPT = _("This could not be kept at the moment. Upload it again in a minute.")
USED_UP = _(
    "You have as much waiting as one person may have. Start some of it, or discard it, before you "
    "upload more."
)
_NOTHING = _("Choose a file, or paste rows below.")
_BOTH = _("There is a file as well. Remove it, or the rows here.")


class UploadForm(forms.Form):
    """A file, or rows pasted; and what is to hold for all of them.

    `types` are those on offer, HubSpot's own if none are given.
    """

    file = forms.FileField(
        label=_("File"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv"}),
        error_messages={"empty": _("There is nothing in this file. Choose another one.")},
    )
    rows = forms.CharField(
        label=_("Rows"),
        required=False,
        strip=False,  # a row may begin with an empty cell
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "autocapitalize": "off"}),
        help_text=_("One pair a line, as copied from a spreadsheet."),
    )
    from_object_type = ObjectTypeField(label=_("Type of the first records"), required=False)
    to_object_type = ObjectTypeField(label=_("Type of the second records"), required=False)
    reason = ReasonField(help_text=_("For rows without one of their own."))

    TYPED_FIELDS = ("rows", *TYPE_FIELDS, "reason")

    def __init__(self, *args: Any, types: TypeChoices | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.types = standard_choices() if types is None else types
        for name in TYPE_FIELDS:
            cast(ObjectTypeField, self.fields[name]).offer(self.types)
        self.fields["file"].widget.attrs |= {
            "data-max-bytes": settings.BULK_MAX_BYTES,
            "data-too-large": _TOO_LARGE
            % {"size": "{size}", "limit": filesizeformat(settings.BULK_MAX_BYTES)},
        }

    def clean_file(self) -> "UploadedFile[bytes] | None":
        file = self.cleaned_data["file"]
        if file and file.size > settings.BULK_MAX_BYTES:
            facts = {
                "size": filesizeformat(file.size),
                "limit": filesizeformat(settings.BULK_MAX_BYTES),
            }
            raise ValidationError(_TOO_LARGE, code=TOO_LARGE, params=facts)
        return file

    def clean(self) -> dict[str, Any]:
        super().clean()
        data = self.cleaned_data
        has_rows = bool(data.get("rows", "").strip())
        if data.get("file") and has_rows:
            self.add_error("rows", _BOTH)
        elif not (data.get("file") or has_rows or "file" in self.errors or "rows" in self.errors):
            self.add_error("file", _NOTHING)
        return data

    @property
    def is_too_large(self) -> bool:
        return self.has_error("file", TOO_LARGE)

    def for_all_rows(self) -> dict[str, str]:
        """Return what services.create() asks for beside the rows; the form must be valid."""
        chosen = {name: self.cleaned_data[name] for name in TYPE_FIELDS}
        types = {name: each.canonical if each else "" for name, each in chosen.items()}
        return {**types, "reason": self.cleaned_data["reason"]}


class StartForm(forms.Form):
    """How the rows of a run go out."""

    way = forms.ChoiceField(
        choices=SendMode,
        error_messages=dict.fromkeys(
            ("required", "invalid_choice"), _("Choose how they are sent.")
        ),
    )
    skip_linked = forms.BooleanField(required=False)
