"""Tickets: what they ask to have linked, how people find that, and what came of it."""
