"""What batches have in common: the inputs they are given, and the answer with its errors."""

import json
from typing import Any

from hubadmin.demo.sandbox.http import Answer, Call, Refused, timestamp


def invalid(message: str) -> Refused:
    """Return the refusal of a request that makes no sense."""
    return Refused(400, message, category="VALIDATION_ERROR")


def read_object(call: Call) -> dict[str, Any]:
    """Return the JSON object that a call brings, or refuse."""
    try:
        body = json.loads(call.body)
    except ValueError as error:
        raise invalid("The body is not JSON.") from error
    if not isinstance(body, dict):
        raise invalid("The body is not a JSON object.")
    return body


def read_inputs(body: dict[str, Any], at_most: int) -> list[dict[str, Any]]:
    """Return a batch's inputs, each once and with its id as text, or refuse."""
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not all(map(_is_input, inputs)):
        raise invalid("“inputs” must be a list of objects with an “id”.")
    if len(inputs) > at_most:
        raise invalid(f"A batch has at most {at_most} inputs, and this one has {len(inputs)}.")
    unique = {(str(item["id"]), str(item.get("after"))): item for item in inputs}
    return [{**item, "id": str(item["id"])} for item in unique.values()]


def read_pairs(body: dict[str, Any], at_most: int) -> list[tuple[str, str]]:
    """Return the ids of a batch's pairs of records as texts, in their order, or refuse."""
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not all(map(_is_pair, inputs)):
        raise invalid("“inputs” must be a list of objects with “from” and “to”, each with an “id”.")
    if not 1 <= len(inputs) <= at_most:
        raise invalid(f"A batch has from 1 to {at_most} inputs, and this one has {len(inputs)}.")
    return [(str(item["from"]["id"]), str(item["to"]["id"])) for item in inputs]


def _is_pair(item: Any) -> bool:
    return isinstance(item, dict) and _is_input(item.get("from")) and _is_input(item.get("to"))


def _is_input(item: Any) -> bool:
    return isinstance(item, dict) and type(item.get("id")) in (str, int)


def batch_error(message: str, context: dict[str, list[str]], **fields: Any) -> dict[str, Any]:
    """Return how a batch tells of what it did not find."""
    told = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": message}
    return told | {"context": context, "errors": [], "links": {}, **fields}


def batch_answer(
    started: str, results: list[dict[str, Any]], errors: list[dict[str, Any]]
) -> Answer:
    """Return a batch's answer: 200, or 207 where there are errors."""
    body = {"status": "COMPLETE", "results": results}
    body |= {"startedAt": started, "completedAt": timestamp()}
    if errors:
        body |= {"numErrors": len(errors), "errors": errors}
    return Answer(207 if errors else 200, body)


def next_page(url: str, after: str) -> dict[str, Any]:
    """Return how an answer says that there is more; `url` has a query already."""
    return {"next": {"after": after, "link": f"{url}&after={after}"}}
