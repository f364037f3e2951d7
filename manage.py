#!/usr/bin/env python
"""Django's command line; `demo` and `test` bring settings of their own."""

import os
import sys

OWN_SETTINGS = {"demo": "hubadmin.demo.settings", "test": "tests.settings"}


def main():  # noqa: ANN201 - parsed by old Pythons too, to tell them what is missing
    if sys.version_info < (3, 11):  # noqa: UP036 - the very check
        sys.exit("hubadmin needs Python 3.11 or later; this is {}.{}.{}.".format(*sys.version_info))
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command in OWN_SETTINGS:
        # Forced: neither may ever run on the settings (and the HubSpot) of production.
        os.environ["DJANGO_SETTINGS_MODULE"] = OWN_SETTINGS[command]
    else:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hubadmin.settings")
    if command == "setup":
        os.environ["ENV_FILE"] = ""  # it writes files of settings, and goes by none

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
