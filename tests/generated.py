"""How generated inputs run here, and what several tests generate."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=20)  # lone surrogates, too
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


def examples(count: int) -> settings:
    """So many examples, however slow the machine is."""
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])
