"""One page of a list of entries, whichever entries they are."""

from typing import Any

from django.http import HttpRequest, QueryDict

from associations.db import QueryTimeoutError, query_timeout
from associations.models import AssociationRequest, AssociationRequestQuerySet, AuditFilter
from associations.models.querysets import COUNTED_AT_MOST, Position, count_of, page_of
from associations.models.readable import UnreadableRow, id_in

PAGE_SIZE = 50
LIST_SECONDS = 2.0
COUNT_SECONDS = 1.0
_Row = AssociationRequest | UnreadableRow


def page_context(
    request: HttpRequest, branches: list[AssociationRequestQuerySet], query: QueryDict | None = None
) -> dict[str, Any]:
    """What audit/entries.html shows: one page of the entries of all branches together.

    `query` is what of the address its further pages keep. Raises QueryTimeoutError.
    """
    before, after = _position(request, "before"), _position(request, "after")
    with query_timeout(LIST_SECONDS):
        # One more, only to know whether there is any.
        found = page_of(branches, size=PAGE_SIZE + 1, before=before, after=after)
        is_more = len(found) > PAGE_SIZE
        page = found[-PAGE_SIZE:] if after else found[:PAGE_SIZE]
        return {
            "entries": page,
            "newer": is_more if after else bool(page) and _any_newer(branches, page[0], before),
            "older": bool(page) and _any_older(branches, page[-1]) if after else is_more,
            "paged": before is not None or after is not None,
            "query": f"{query.urlencode()}&" if query else "",
        }


def count_context(
    branches: list[AssociationRequestQuerySet], wanted: AuditFilter | None = None
) -> dict[str, Any]:
    """How many entries there are in all; None if counting them takes too long."""
    try:
        with query_timeout(COUNT_SECONDS):
            count = count_of(branches, wanted)
    except QueryTimeoutError:
        return {"count": None}
    return {"count": min(count, COUNTED_AT_MOST - 1), "is_more": count == COUNTED_AT_MOST}


def _any_newer(
    branches: list[AssociationRequestQuerySet], first: _Row, before: Position | None
) -> bool:
    # The newest page has none: what has come since it was read is no page of its own.
    if before is None:
        return False
    place = AssociationRequest.objects.position_of(first.pk)
    return any(branch.newer_than(*place).exists() for branch in branches)


def _any_older(branches: list[AssociationRequestQuerySet], last: _Row) -> bool:
    place = AssociationRequest.objects.position_of(last.pk)
    return any(branch.older_than(*place).exists() for branch in branches)


def _position(request: HttpRequest, name: str) -> Position | None:
    """Where the entry stands that the address names; anything else there means "no such limit"."""
    pk = id_in(request.GET.get(name, ""))
    return None if pk is None else AssociationRequest.objects.position_of(pk)
