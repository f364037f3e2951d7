"""Sessions in the database, for people who use several tabs at once."""

import logging
from collections.abc import Callable

from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import DatabaseError
from django.http import HttpRequest

logger = logging.getLogger(__name__)


class SessionStore(DatabaseStore):
    """Django's, but for keys that no session can have: one with a NUL breaks PostgreSQL's query."""

    def _validate_session_key(self, key: str) -> bool:
        valid = super()._validate_session_key(key)  # type: ignore[misc]  # the stubs leave it out
        return valid and key.isascii() and key.isalnum()


def change_now(request: HttpRequest, change: Callable[[SessionStore], object]) -> bool:
    """Change the session as it stands now, and save it at once; return whether that worked.

    What a request loaded when it began may be old by its end: another tab may have signed out
    meanwhile, or have left something in there. Saved at the end, it would be undone.
    """
    session = SessionStore(request.session.session_key)
    change(session)
    is_saved = session.session_key is not None  # without one, the session has ended
    try:
        if is_saved:
            session.save()
    except (UpdateError, DatabaseError):
        logger.warning("the session could not be changed", exc_info=True)
        is_saved = False
    session.modified = False
    request.session = session
    return is_saved
