"""The forms of bulk runs: upload rows, and start what was understood of them."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from associations.audit.recorder import FACT_LENGTH
from associations.bulk.files.decoding import Encoding
from associations.bulk.services import TYPE_FIELDS
from associations.form_fields import ObjectTypeField, ReasonField
from associations.gateway.object_types import TypeChoice, TypeChoices, standard_choices
from associations.models import BulkRun, SendMode
from associations.models.readable import MAX_ID
from associations.texts.labels import type_label

TOO_LARGE = "too_large"
ACCEPTED = (
    ".xlsx,.xlsm,.csv,.tsv,.txt,text/csv,"
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)
_TOO_LARGE = _("This file has %(size)s; %(limit)s are taken. Divide it, and upload the parts.")
NOT_KEPT = _("This could not be kept at the moment. Upload it again in a minute.")
USED_UP = _(
    "You have as much waiting as one person may have. Start some of it, or discard it, before you "
    "upload more."
)
_NOTHING = _("Choose a file, or paste rows below.")
_BOTH = _("There is a file as well. Remove it, or the rows here.")


_CHOOSE = dict.fromkeys(("required", "invalid_choice"), _("Choose one of these."))
_DOUBLE = _("“%(other)s” is this already. Choose for one of the two what it is.")
_MISSING = {
    "from_object_id": _("No column has the record that belongs to the other. Choose it as “From”."),
    "to_object_id": _("No column has the record that it belongs to. Choose it as “To”."),
}
# A record of whatever type, one of a type, and nothing but a type
_OF_A_SIDE = {
    "from": (
        _("From: record, its type said elsewhere"),
        _("From: %(type)s"),
        _("From: only the type"),
    ),
    "to": (_("To: record, its type said elsewhere"), _("To: %(type)s"), _("To: only the type")),
}
_NAMED_BY = {
    "contacts": pgettext_lazy("what names a record", "id, e-mail or name"),
    "companies": pgettext_lazy("what names a record", "id, domain or name"),
}
_BY_NAME = pgettext_lazy("what names a record", "id or name")
ENCODINGS = {
    Encoding.WINDOWS_1252: _("Western, Windows"),
    Encoding.MAC_ROMAN: _("Western, Macintosh"),
    Encoding.WINDOWS_1250: _("Central European"),
    Encoding.WINDOWS_1251: _("Cyrillic"),
    Encoding.WINDOWS_1253: _("Greek"),
    Encoding.WINDOWS_1254: _("Turkish"),
    Encoding.SHIFT_JIS: _("Japanese, Windows"),
    Encoding.EUC_JP: _("Japanese, Unix"),
}


class UploadForm(forms.Form):
    """A file, or rows pasted; and what is to hold for all of them.

    `types` are those on offer, HubSpot's own if none are given.
    """

    file = forms.FileField(
        label=_("File"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ACCEPTED}),
        error_messages={"empty": _("There is nothing in this file. Choose another one.")},
    )
    rows = forms.CharField(
        label=_("Rows"),
        required=False,
        strip=False,  # a row may begin with an empty cell
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "autocapitalize": "off"}),
        help_text=_("One pair a line, as copied from a spreadsheet."),
    )
    from_object_type = ObjectTypeField(label=_("From: type"), required=False)
    to_object_type = ObjectTypeField(label=_("To: type"), required=False)
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


class ColumnsForm(forms.Form):
    """What the columns of a run's file mean, and in which encoding it is.

    `types` are those on offer, in their order, and `unique` has properties by which records of a
    type may be named; the first values say what it was read as.
    """

    def __init__(
        self,
        data: Any = None,
        *,
        run: BulkRun,
        types: Iterable[TypeChoice],
        unique: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        layout = run.layout
        self.columns: list[list[Any]] = layout.get("columns", [])
        self.meanings: list[str] = layout.get("meanings", [])
        self.encodings: dict[str, str] = layout.get("encodings", {})
        names = [f"column_{number}" for number in range(1, len(self.columns) + 1)]
        initial = dict(zip(names, self.meanings, strict=False))
        self.sheets: list[str] = layout.get("sheets", [])
        self.sheet: str = layout.get("sheet", "")
        initial |= {"encoding": layout.get("encoding"), "sheet": self.sheet}
        super().__init__(data, initial=initial)
        self.choices = choices = _meanings(types, self.meanings, unique)
        for number, (name, _values) in enumerate(self.columns, 1):
            label = name or _("Column %(number)s") % {"number": number}
            self.fields[f"column_{number}"] = forms.ChoiceField(
                label=label, choices=choices, required=False, error_messages=_CHOOSE
            )
        if len(self.sheets) > 1:
            self.fields["sheet"] = forms.ChoiceField(
                label=_("Sheet"),
                choices=[(each, each) for each in self.sheets],
                error_messages=_CHOOSE,
            )
        if len(self.encodings) > 1:
            labels = [(e, f"{ENCODINGS.get(e, e)}: {text}") for e, text in self.encodings.items()]
            self.fields["encoding"] = forms.ChoiceField(
                label=_("Encoding"), choices=labels, error_messages=_CHOOSE
            )

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row for each column: its first values, and the field that says what it means."""
        return [
            {"field": self[f"column_{number}"], "values": values}
            for number, (_name, values) in enumerate(self.columns, 1)
        ]

    def clean(self) -> dict[str, Any]:
        super().clean()
        if self.errors or self.is_of_another_sheet:
            return self.cleaned_data
        seen = dict[str, str]()
        for field, meaning in zip(self.fields, self.chosen, strict=False):
            name, _colon, object_type = meaning.partition(":")
            # With its type an id says what a column with nothing but types says, too.
            for said in filter(None, (name, object_type and name.replace("_id", "_type"))):
                if said in seen:
                    facts = {"other": self.fields[seen[said]].label}
                    self.add_error(field, ValidationError(_DOUBLE, params=facts))
                else:
                    seen[said] = field
        for name, text in _MISSING.items():
            if name not in seen:
                self.add_error(None, text)
        return self.cleaned_data

    @property
    def is_of_another_sheet(self) -> bool:
        """Whether another sheet is chosen, whose columns nobody has seen yet."""
        return self.cleaned_data.get("sheet", self.sheet) != self.sheet

    @property
    def chosen(self) -> list[str]:
        """What each column means, as services.read_anew() asks for it; the form must be valid."""
        if self.is_of_another_sheet:
            return []
        numbers = range(1, len(self.columns) + 1)
        return [self.cleaned_data.get(f"column_{number}", "") for number in numbers]


def _meanings(
    types: Iterable[TypeChoice], present: Sequence[str], unique: Mapping[str, Sequence[str]]
) -> list[tuple[str, Any]]:
    """The choices, and those that a run has though they are not on offer any more."""
    keys = {(kind, name) for kind, names in unique.items() for name in names}
    keys |= {(each[1], each[2]) for each in (m.split(":", 2) for m in present) if len(each) > 2}
    labels = {each.object_type.canonical: each.label for each in types}
    told = {(*meaning.split(":", 2), "")[1] for meaning in present} - {""}
    labels |= {each: type_label(each) for each in sorted(told - labels.keys())}
    choices: list[tuple[str, Any]] = [("", _("Not used"))]
    for side, (whole, typed, only_type) in _OF_A_SIDE.items():
        id_name = f"{side}_object_id"
        of_types = [
            (f"{id_name}:{each}", _named_by(typed % {"type": text}, _NAMED_BY.get(each, _BY_NAME)))
            for each, text in labels.items()
        ]
        of_types += [
            (f"{id_name}:{kind}:{name}", _named_by(typed % {"type": labels[kind]}, name))
            for kind, name in sorted(keys)
            if kind in labels
        ]
        choices += [(id_name, whole), *of_types, (f"{side}_object_type", only_type)]
    return [*choices, ("reason", _("Reason, for the audit log"))]


def _named_by(record: object, by: object) -> str:
    # Translators: a type of record, and by what a column names it
    return gettext("%(record)s (%(by)s)") % {"record": record, "by": by}


class StartForm(forms.Form):
    """How the rows of a run go out."""

    way = forms.ChoiceField(
        choices=SendMode,
        error_messages=dict.fromkeys(
            ("required", "invalid_choice"), _("Choose how they are sent.")
        ),
    )
    skip_linked = forms.BooleanField(required=False)


class JudgeForm(forms.Form):
    """The answer to a request for approval: the one that was shown, by the id of its event."""

    asked = forms.IntegerField(min_value=1, max_value=MAX_ID, widget=forms.HiddenInput)


class RefusalForm(JudgeForm):
    """No, and why."""

    reason = ReasonField(help_text=_("It stands in the audit log, and whoever asked reads it."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = True
        self.fields["reason"].error_messages["required"] = _("Say why it is not to be sent.")

    def clean_reason(self) -> str:
        text = str(self.cleaned_data["reason"])
        if len(text) > FACT_LENGTH:
            facts = {"limit": FACT_LENGTH, "length": len(text)}
            raise ValidationError(
                _("Keep the reason to %(limit)s characters; this has %(length)s."), params=facts
            )
        return text
