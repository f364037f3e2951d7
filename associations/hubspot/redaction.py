"""Keep the access token out of whatever is logged, shown or stored."""

import re

REDACTED = "[redacted]"

_BEARER = re.compile(r"(?i)(bearer\s+)[^\s\"',;\\]+")
# Anywhere, even within a word: in JSON a line that starts with a token reads `\npat-…`.
_PRIVATE_APP_TOKEN = re.compile(r"(?i)pat-[a-z0-9]{2,6}-[0-9a-z][0-9a-z-]{7,}")


def redact(text: str, token: str = "") -> str:
    """Return `text` without `token`, bearer credentials and whatever looks like a token."""
    if token:
        text = text.replace(token, REDACTED)
    text = _BEARER.sub(rf"\g<1>{REDACTED}", text)
    return _PRIVATE_APP_TOKEN.sub(REDACTED, text)
