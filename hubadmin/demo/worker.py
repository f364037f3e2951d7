"""The demo's worker, as in production: `python -m hubadmin.demo.worker`."""

import sys

from django.core.management import execute_from_command_line

from hubadmin.demo.child import end_with_the_demo

if __name__ == "__main__":
    end_with_the_demo()
    execute_from_command_line([sys.argv[0], "run_worker"])
