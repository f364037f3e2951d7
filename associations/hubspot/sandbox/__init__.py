"""A local stand-in for HubSpot that really speaks HTTP: for demonstrations and for tests."""

from .demands import SANDBOX_TOKEN
from .server import Sandbox

__all__ = ["SANDBOX_TOKEN", "Sandbox"]
