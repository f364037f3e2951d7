"""What happens to people's access, told to whoever keeps a log: an app receives it."""

from django.dispatch import Signal

# Sent with `what` (a code), `user` (whom it is about; None if nobody can know), `request` (None for
# a command) and `facts`. Raises DatabaseError if it cannot be kept.
security_event = Signal()
