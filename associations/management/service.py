"""What the commands share that a service manager runs: how they say why they do not start."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hubadmin import startup


class ServiceCommand(BaseCommand):
    """Whoever collects its log finds there why it does not start, or ends, as all else.

    A person at a terminal reads it in plain text, as of any other command.
    """

    _called_from_command_line: bool  # Django's own, which its types leave out
    requires_system_checks = []  # it runs them itself: what they find is told as all else, too

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except CommandError as error:
            if not self._called_from_command_line or startup.is_read_by_a_person():
                raise
            startup.end(str(error), error.returncode)
