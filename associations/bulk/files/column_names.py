"""What people call the columns, in English and Japanese."""

import re
import unicodedata
from collections.abc import Sequence

FIELDS = ("from_object_type", "from_object_id", "to_object_type", "to_object_id", "reason")
OURS = {"line", "problem"}  # what a download of bad rows has besides
MAX_NAME = 100

_BESIDE_NAMES = re.compile(r"[\W_]+")
_FROM = ("from", "source", "first", "関連付け元", "連携元", "リンク元", "元")
_TO = ("to", "target", "destination", "second", "関連付け先", "連携先", "リンク先", "先")
_TYPES = ("type", "object type", "objecttypeid", "object", "record type", "タイプ", "種類")
_TYPES += ("オブジェクト", "オブジェクトタイプ", "レコードタイプ")
_RECORDS = ("", "id", "object id", "record", "record id", "url", "address", "record url", "link")
_RECORDS += ("レコード", "レコードid", "オブジェクトid", "番号")
_REASONS = ("reason", "why", "comment", "comments", "note", "notes", "理由", "備考", "メモ")
_REASONS += ("コメント",)
_NUMBERED = ("id", "record", "record id", "object id", "レコード", "レコードid")


def folded(name: str) -> str:
    """Return what is left of a name without case, width, spaces and signs."""
    return _BESIDE_NAMES.sub("", unicodedata.normalize("NFKC", name[:MAX_NAME]).casefold())


def _synonyms() -> dict[str, str]:
    names = {"reason": _REASONS}
    for side, words, number in (("from", _FROM, "1"), ("to", _TO, "2")):
        joints = ("", "の")
        names[f"{side}_object_type"] = [f"{w}{j}{n}" for w in words for j in joints for n in _TYPES]
        names[f"{side}_object_id"] = [f"{w}{j}{n}" for w in words for j in joints for n in _RECORDS]
        names[f"{side}_object_type"] += [f"{n}{number}" for n in _TYPES]
        names[f"{side}_object_id"] += [f"{n}{number}" for n in _NUMBERED]
    names |= {name: [name] for name in OURS}
    return {folded(text): name for name, texts in names.items() for text in texts}


_SYNONYMS = _synonyms()


def fields_named(cells: Sequence[str]) -> list[str]:
    """Return for each cell the field or column of ours that it names; empty for none."""
    return [_SYNONYMS.get(folded(cell), "") for cell in cells]
