"""What the name of a column says: a field of ours, or a type of record whose ids stand there.

In the languages that HubSpot speaks most, as people write it and as HubSpot's own exports do.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple

from associations.hubspot.object_types import ObjectType, UnknownObjectTypeError

FIELDS = ("from_object_type", "from_object_id", "to_object_type", "to_object_id", "reason")
IDS = ("from_object_id", "to_object_id")
# What a file of rows to correct has besides, in the languages that it is written in
OURS = {"line": ("line", "行"), "problem": ("problem", "問題")}
MAX_NAME = 100

Resolve = Callable[[str], ObjectType]


def _words(text: str) -> list[str]:
    return text.split("|")


_FROM = _words(
    "from|source|first|関連付け元|連携元|リンク元|元|von|quelle|de|desde|origen|origem|van|bron"
)
_TO = _words(
    "to|target|destination|second|関連付け先|連携先|リンク先|先|nach|ziel|vers|cible|hasta|destino"
    "|para|naar|doel"
)
_TYPES = _words(
    "type|object type|objecttypeid|object|record type|タイプ|種類|オブジェクト|オブジェクトタイプ"
    "|レコードタイプ|typ|objekttyp|type d'objet|tipo|tipo de objeto|objecttype"
)
_RECORDS = _words(
    "|id|object id|record|record id|url|address|record url|link|レコード|レコードid|オブジェクトid"
    "|番号|datensatz|datensatz-id|enregistrement|fiche|registro|adresse|dirección|endereço|adres"
)
_REASONS = _words(
    "reason|why|comment|comments|note|notes|理由|備考|メモ|コメント|grund|begründung|kommentar|notiz"
    "|raison|motif|commentaire|remarque|motivo|razón|comentario|nota|comentário|razão|reden|opmerking"
)
_NUMBERED = _words("id|record|record id|object id|レコード|レコードid")

_BESIDE_NAMES = re.compile(r"[\W_]+")


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
    names |= {name: list(words) for name, words in OURS.items()}
    return {folded(text): name for name, texts in names.items() for text in texts}


_SYNONYMS = _synonyms()


def fields_named(cells: Sequence[str]) -> list[str]:
    """Return for each cell the field or column of ours that it names; empty for none."""
    return [_SYNONYMS.get(folded(cell), "") for cell in cells]


def without_ours(cells: Sequence[str]) -> Sequence[str]:
    """Return the names of a file without those that our files to correct have at their end."""
    named = fields_named(cells)
    width = len(cells)
    while width and named[width - 1] in OURS:
        width -= 1
    return cells[:width]


_SIDES = set(map(folded, (*_FROM, *_TO)))


def names_a_side(cell: str) -> bool:
    """Return whether a name says a side and nothing of a record: `from`, `hasta`, `source`."""
    return folded(cell) in _SIDES


# --- names that say a type ------------------------------------------------------------------------

# `contact_id`, `record id (contact)` and the like name a type and a record at once.
_ID_WORDS = re.compile(r"^record[ _-]*id\b|[ _-]*(record)?[ _-]*(id|url)s?$|(レコード)?の?id$")
_TYPE_WORDS = {
    "contacts": _words(
        "kontakt|kontakte|contact|contacts|contacto|contactos|contato|contatos|contactpersoon"
        "|contactpersonen"
    ),
    "companies": _words(
        "unternehmen|unternehmens|firma|firmen|entreprise|entreprises|société|empresa|empresas"
        "|bedrijf|bedrijven|bedrijfs"
    ),
    "deals": _words("transaction|transactions|negocio|negocios|negócio|negócios"),
}
_TYPES_BY_WORD = {word: name for name, words in _TYPE_WORDS.items() for word in words}
_WORDS_FOR_AN_ID = {
    *_words("id|ids|url|urls|hsobjectid|record|records|datensatz|datensätze|enregistrement|fiche"),
    *_words("registro|registros|recordid|objectid|レコード"),
}
_ASSOCIATED = {
    *_words("associated|関連付けられた|関連|zugeordnete|zugeordnetes|zugeordneter|zugehörige"),
    *_words("associé|associée|associés|associées|asociado|asociada|asociados|asociadas"),
    *_words("associado|associada|associados|associadas|gekoppelde|gekoppeld"),
}
_PRIMARY = set(_words("primary|primär|primäres|principal|primaire|primario|primária|primário"))
_PRIMARY |= set(_words("プライマリー|プライマリ|主要"))
_BETWEEN = set(_words("de|del|do|da|des|du|der|von|van|the|of|d|l|la|le|el|o|a|の"))
_BETWEEN |= set(_words("informations|información|informação"))
# What names a record without its id: an e-mail address is a contact's, a domain a company's.
_EMAIL_WORDS = {
    *_words(
        "email|emails|mail|mails|emailadresse|mailadresse|emailadres|mailadres|correo|courriel"
    ),
    *_words("eメール|電子メール|メール|メールアドレス|eメールアドレス"),
}
_DOMAIN_WORDS = {
    *_words("domain|domains|domainname|domaine|dominio|domínio|domein|domeinnaam|website|webseite"),
    *_words("ドメイン|ドメイン名|ウェブサイト|webサイト"),
}
_NAME_WORDS = set(_words("name|names|nom|nombre|nome|naam|名|名前"))
_BESIDE_KEYS = {
    *_words(
        "e|full|address|adresse|adres|dirección|endereço|electrónico|eletrônico|électronique|web"
    ),
    *_words("site|sitio"),
}
_PARTS = re.compile(r"\d+-\d+|hs_object_id|[^\W_]+")
# Japanese has no spaces: these part its words.
_COMPOUND = re.compile(
    r"(unternehmens|firmen|bedrijfs|kontakt|contact|deal|ticket)(domain|domein|name|naam|mail)"
)
_JAPANESE_PARTS = re.compile(
    r"(関連付けられた|関連|プライマリー?|主要|レコード|e?メールアドレス|電子メール|ドメイン名?|名前?$|の|id)(?=\D|$)"
)
_JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


class TypedName(NamedTuple):
    """What a name says of the records below it: `object_type` is canonical, empty if it is none.

    `key` is "email", "domain" or "name" where it says that they are named by that.
    """

    object_type: str
    says_id: bool = False
    is_associated: bool = False
    is_primary: bool = False
    key: str = ""


def typed_name(cell: str, resolve: Resolve) -> TypedName | None:
    """Return what the name of a column says of a record, None if nothing."""
    name = " ".join(unicodedata.normalize("NFKC", cell[:MAX_NAME]).split()).casefold()
    stem = _ID_WORDS.sub("", name).strip(" -_()[]:")
    is_key = stem == name and not _EMAIL_WORDS.isdisjoint(_PARTS.findall(name))
    # HubSpot has e-mails as records, too; whoever means these says "id".
    if not is_key and (object_type := _resolved(stem, resolve)):
        return TypedName(object_type, says_id=stem != name)
    words = _PARTS.findall(_parted(name))
    kinds = _ASSOCIATED, _PRIMARY, _WORDS_FOR_AN_ID
    is_associated, is_primary, says_id = (not kind.isdisjoint(words) for kind in kinds)
    says_id = says_id or "hs_object_id" in words
    skipped = {"hs_object_id", *_BETWEEN}.union(*kinds)
    rest = list(dict.fromkeys(word for word in words if word not in skipped))
    key = _key_in(rest)
    if key and (object_type := _type_of_key(key, rest, resolve)):
        return TypedName(object_type, says_id, is_associated, is_primary, key)
    object_type = _resolved(" ".join(rest), resolve) or _of_words(rest, resolve)
    if object_type or (says_id and not rest):
        return TypedName(object_type, says_id, is_associated, is_primary)
    return None


# Those who look after records, and others that a row is not about.
_SOMEBODY = {
    *_words("owner|manager|rep|agent|assignee|assigned|created|creator|referred|referrer|sender"),
    *_words("betreuer|verantwortlich|zuständig|zuständiger|ersteller|bearbeiter|berater|inhaber"),
    *_words("propriétaire|responsable|gestionnaire|créateur|propietario|gestor|creador|asignado"),
    *_words("proprietário|responsável|criador|eigenaar|beheerder|verantwoordelijke|maker"),
}
_SOMEBODY_JAPANESE = re.compile("担当|所有者|作成者|責任者|紹介")


def names_somebody(cell: str) -> bool:
    """Return whether a name says whose addresses stand below it, and that it is none of a pair."""
    name = unicodedata.normalize("NFKC", cell[:MAX_NAME]).casefold()
    words = _PARTS.findall(_parted(name))
    if _SOMEBODY_JAPANESE.search(name) or not _SOMEBODY.isdisjoint(words):
        return True
    # Of an address that is no contact's by itself it says whose it is: `Partner E-Mail`.
    beside = _EMAIL_WORDS | _DOMAIN_WORDS | _BESIDE_KEYS | _BETWEEN
    return bool(_key_in(words)) and not beside.issuperset(words)


def _key_in(words: list[str]) -> str:
    kinds = {"email": _EMAIL_WORDS, "domain": _DOMAIN_WORDS, "name": _NAME_WORDS}
    return next((key for key, said in kinds.items() if not said.isdisjoint(words)), "")


def _type_of_key(key: str, words: list[str], resolve: Resolve) -> str:
    """The type that stands beside it; without one that whose key it is."""
    beside = _EMAIL_WORDS | _DOMAIN_WORDS | _NAME_WORDS | _BESIDE_KEYS
    rest = [word for word in words if word not in beside]
    if rest:
        return _resolved(" ".join(rest), resolve) or _of_words(rest, resolve)
    return {"email": "contacts", "domain": "companies"}.get(key, "")


def _parted(name: str) -> str:
    if _JAPANESE.search(name):
        name = _JAPANESE_PARTS.sub(r" \1 ", name)
    name = _COMPOUND.sub(r"\1 \2", name)
    run_together = re.fullmatch(r"associated([a-z]+?)(ids?)", name)  # as HubSpot's API has it
    return " ".join(("associated", *run_together.groups())) if run_together else name


def _of_words(words: Sequence[str], resolve: Resolve) -> str:
    """The one type that all of them name: `Contact <CONTACT>`, `Kontakte`."""
    types = {_resolved(word, resolve) for word in words}
    return types.pop() if len(types) == 1 else ""


def _resolved(text: str, resolve: Resolve) -> str:
    if not text:
        return ""
    try:
        return resolve(text).canonical
    except UnknownObjectTypeError:
        return _TYPES_BY_WORD.get(text, "")
