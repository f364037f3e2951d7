"""A cell without what spreadsheets and documents put around a text."""

# Besides spaces, marks that copying out of documents leaves there, seen by nobody.
_AROUND = "".join(filter(str.isspace, map(chr, range(0x3001))))
_AROUND += "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068"
_AROUND += "\u2069\ufeff\u00ad"


def bare(text: str) -> str:
    """Return the text without spaces, unseen marks and a leading apostrophe around it."""
    return text.strip(_AROUND).removeprefix("'").strip(_AROUND)
