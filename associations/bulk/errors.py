"""What people's steps with a run are refused for."""


class NotPossibleError(Exception):
    """The run is in another state by now; nothing was changed."""


class ApprovalNeededError(NotPossibleError):
    """Somebody else has to approve the run before it starts; nothing was changed."""
