"""The sandbox's controls under /_sandbox/: play faults, see what arrived, start afresh."""

import json

from .faults import FaultError
from .replies import Answer, Call, Refused
from .state import State


def list_faults(state: State, call: Call) -> Answer:
    """Show the faults still to be played."""
    return Answer(200, state.faults.active())


def add_faults(state: State, call: Call) -> Answer:
    """Queue one fault or a list of them, and show what is queued now."""
    try:
        posted = json.loads(call.body)
        state.faults.add(*(posted if isinstance(posted, list) else [posted]))
    except FaultError as error:
        raise Refused(400, str(error)) from error
    except ValueError as error:
        raise Refused(400, f"The body is not JSON: {error}.") from error
    return list_faults(state, call)


def list_requests(state: State, call: Call) -> Answer:
    """Show the requests received, oldest first."""
    return Answer(200, state.requests)


def list_associations(state: State, call: Call) -> Answer:
    """Show what was associated, each link in both directions."""
    return Answer(200, [link._asdict() for link in sorted(state.associations)])


def reset(state: State, call: Call) -> Answer:
    """Forget everything."""
    state.reset()
    return Answer(204)
