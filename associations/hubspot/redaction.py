"""Keep the access token out of whatever is logged, shown or stored."""

import re
from functools import lru_cache

REDACTED = "[redacted]"

_BEARER = re.compile(r"(?i)(bearer\s+)[^\s\"',;\\]+")
_PRIVATE_APP_TOKEN = re.compile(r"(?i)pat-[a-z0-9]{2,6}-[0-9a-z][0-9a-z-]{7,}")


def redact(text: str, token: str = "") -> str:
    """Return `text` without `token`, bearer credentials and whatever looks like a token."""
    if token:
        text = _in_any_spelling(token).sub(REDACTED, text)
    text = _BEARER.sub(rf"\g<1>{REDACTED}", text)
    return _PRIVATE_APP_TOKEN.sub(REDACTED, text)


@lru_cache(maxsize=4)
def _in_any_spelling(token: str) -> re.Pattern[str]:
    """The token as it is, and with any of its characters escaped as JSON may have them."""
    spellings = (rf"(?:\\?{re.escape(c)}|\\u(?i:{ord(c):04x}))" for c in token)
    return re.compile("".join(spellings))
