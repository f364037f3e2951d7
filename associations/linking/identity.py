"""Under which ids HubSpot has an entry's two records: those asked for, or others since a merge.

A merged record's old id goes on working, but answers may name the new one. Whether an id is a
record's own, only reading the record tells.
"""

import logging

from associations.hubspot.answers import Answer, Ids, after_merging, pairs_not_shown
from associations.hubspot.client import HubSpotClient, ReadError
from associations.hubspot.lookups import current_ids
from associations.hubspot.outcomes import Cause
from associations.models import AssociationRequest

logger = logging.getLogger(__name__)


def asked_ids(entry: AssociationRequest) -> Ids:
    return entry.from_object_id, entry.to_object_id


def ids_left(client: HubSpotClient, entry: AssociationRequest) -> Ids:
    """Look up both records. Raises ReadError; one that HubSpot lacks keeps the id asked for."""
    from_id, to_id = asked_ids(entry)
    try:
        from_ids = current_ids(client, entry.from_object_type, [from_id])
        to_ids = current_ids(client, entry.to_object_type, [to_id])
    except ReadError:
        raise
    except Exception as error:
        raise unexpected(entry) from error
    return from_ids.get(from_id, from_id), to_ids.get(to_id, to_id)


def unexpected(entry: AssociationRequest) -> ReadError:
    """Note what nobody thought of, within its `except`: the request must not suffer from a look."""
    logger.exception("a look failed", extra={"entry": entry.pk})
    return ReadError(Answer(Cause.UNREADABLE))


def read_by_identity(
    client: HubSpotClient, entry: AssociationRequest, answer: Answer
) -> tuple[Answer, Ids]:
    """Return the answer to an entry's PUT; if it names other ids, by what these are, and the ids.

    After a crash the attempts in the log are read without: as answers that do not show the link.
    """
    ids = asked_ids(entry)
    if not pairs_not_shown(answer, [ids]):
        return answer, ids
    try:
        ids = ids_left(client, entry)
    except ReadError:
        return answer, ids
    return told_of(entry, answer, ids), ids


def told_of(entry: AssociationRequest, answer: Answer, left: Ids) -> Answer:
    """Return what the answer says of the entry's records, which HubSpot has under these ids."""
    of_one_type = entry.from_object_type == entry.to_object_type
    return after_merging(answer, asked_ids(entry), left, of_one_type=of_one_type)
