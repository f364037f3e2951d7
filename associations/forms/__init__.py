"""Validation of everything people type."""

from .audit import AuditFilterForm, Chip
from .link import AssociationForm
from .two_records import Side
from .types import TypeChoice, TypeChoices, standard_choices

__all__ = [
    "AssociationForm",
    "AuditFilterForm",
    "Chip",
    "Side",
    "TypeChoice",
    "TypeChoices",
    "standard_choices",
]
