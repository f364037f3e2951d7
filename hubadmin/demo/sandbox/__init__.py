"""A local stand-in for HubSpot that really speaks HTTP: for demonstrations and for tests."""

from hubadmin.demo.sandbox.portal import SANDBOX_TOKEN
from hubadmin.demo.sandbox.server import Sandbox

__all__ = ["SANDBOX_TOKEN", "Sandbox"]
