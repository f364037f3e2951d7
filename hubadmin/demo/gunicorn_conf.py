"""gunicorn's settings in the demo: as in production, but it ends with the command it belongs to."""

import ctypes
import os
import signal
import sys
from typing import Any

from hubadmin import gunicorn_conf as production
from hubadmin.gunicorn_conf import *  # noqa: F403

workers = 2
threads = 16
PR_SET_PDEATHSIG = 1


def on_starting(server: Any) -> None:
    """On Linux, have the kernel end this server when the command dies, even by kill -9."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if str(os.getppid()) != os.environ.get("DEMO_PARENT"):
        sys.exit("The demo's server belongs to `manage.py demo` and does not run by itself.")
    production.on_starting(server)
