"""What the demo starts beside itself ends with it, and does not run without it."""

import os
import signal
import sys

from hubadmin.startup import end_with_parent


def end_with_the_demo() -> None:
    """Have the kernel end this process in order when the command dies, even by kill -9."""
    end_with_parent(signal.SIGTERM)
    if str(os.getppid()) != os.environ.get("DEMO_PARENT"):
        sys.exit("This belongs to `manage.py demo` and does not run by itself.")
