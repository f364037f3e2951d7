"""The demo's worker, as in production: `python -m hubadmin.demo.worker`."""

import django
from django.core.management import call_command

from .child import end_with_the_demo

if __name__ == "__main__":
    end_with_the_demo()
    django.setup()
    call_command("run_worker")
