"""Why somebody does not get in."""


class RefusedError(Exception):
    """What came as a proof of identity proves nothing, or not enough. The text is for the log."""


class ProviderUnavailableError(Exception):
    """The identity provider cannot be asked, or what it answers makes no sense."""
