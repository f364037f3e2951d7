"""Validation of everything people type."""

from .audit import AuditFilterForm, Chip
from .link import AssociationForm

__all__ = ["AssociationForm", "AuditFilterForm", "Chip"]
