"""The processes that work on runs: how they begin, look what there is to do, and end."""
