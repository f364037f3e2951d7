"""A process of somebody else's that writes and seals without a pause: `python -m` this module."""

import os
import sys

import django


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "hubadmin.settings"
    django.setup()

    from associations.audit.integrity.sealing import seal_log
    from hubadmin.models import User
    from tests.associations.linking.base import entry_of

    user = User.objects.latest("pk")
    while True:
        for _ in range(5):
            entry_of(user, reason="x" * 400)
        for _ in seal_log():
            sys.stdout.write("sealed\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
