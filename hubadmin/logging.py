"""One JSON line an event, with the id of the request it belongs to and never the token."""

import json
import logging
import re
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime

from django.conf import settings
from django.utils.module_loading import import_string
from django.views.debug import SafeExceptionReporterFilter

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")

# What a LogRecord has of itself; everything else on it was passed as `extra`.
_OWN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "request"}


class ReporterFilter(SafeExceptionReporterFilter):
    """What Django's own error pages (DEBUG) may not show; most secrets it knows by their names."""

    hidden_settings = re.compile(
        f"{SafeExceptionReporterFilter.hidden_settings.pattern}|PROXY_URL|ASSERTION|BROKER_URL|REDIS",
        re.I,
    )


class JSONFormatter(logging.Formatter):
    """`{"time", "level", "logger", "event", "request_id"?, …extra, "traceback"?}`."""

    def __init__(self) -> None:
        super().__init__()
        self.redact: Callable[[str, str], str] = import_string(settings.LOG_REDACTOR)

    def format(self, record: logging.LogRecord) -> str:
        event = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        # Django logs some failures when the middleware is done, but names the request.
        about = getattr(record, "request", None)
        if request_id := REQUEST_ID.get() or getattr(about, "id", ""):
            event["request_id"] = request_id
        event |= {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info:
            event["traceback"] = self.formatException(record.exc_info)
        # Plain ASCII: the line breaks that only some readers know are escaped as well.
        return self.redact(json.dumps(event, default=str), settings.HUBSPOT_ACCESS_TOKEN)
