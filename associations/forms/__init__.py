"""Validation of everything people type."""

from .audit import AuditFilterForm, Chip
from .bulk import StartForm, UploadForm
from .link import AssociationForm
from .two_records import Side
from .types import TypeChoice, TypeChoices, standard_choices

__all__ = [
    "AssociationForm",
    "AuditFilterForm",
    "Chip",
    "Side",
    "StartForm",
    "TypeChoice",
    "TypeChoices",
    "UploadForm",
    "standard_choices",
]
