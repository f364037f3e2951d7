"""Why somebody does not get in."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hubadmin.models import User


class RefusedError(Exception):
    """What came as a proof of identity proves nothing, or not enough. The text is for the log."""


class DeactivatedError(RefusedError):
    """It is known who it is, and that this person has been switched off here."""

    def __init__(self, user: "User") -> None:
        super().__init__("the person has been deactivated")
        self.user = user


class ProviderUnavailableError(Exception):
    """The identity provider cannot be asked, or what it answers makes no sense."""
