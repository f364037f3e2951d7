"""gunicorn's settings in the demo: as in production, but it ends with the command it belongs to."""

from typing import Any

from hubadmin import gunicorn_conf as production
from hubadmin.demo.child import end_with_the_demo
from hubadmin.gunicorn_conf import *  # noqa: F403

workers = 2
threads = 16


def _on_starting(server: Any) -> None:
    end_with_the_demo()
    production.on_starting(server)


on_starting = _on_starting
