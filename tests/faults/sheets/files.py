"""Spreadsheets as people have them: headings in seven languages, columns, encodings, formats."""

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from openpyxl import Workbook

from tests.faults.sheets.truth import COMPANY, CONTACT, DEAL, Cell, Truth

LANGUAGES = ("en", "ja", "de", "fr", "es", "pt", "nl")
_ASCII = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "mac-roman", "cp932")

# What people and HubSpot call a column of records by their type and key, in the order of LANGUAGES;
# "|" between several.
_HEADINGS: dict[tuple[str, str], tuple[str, ...]] = {
    (CONTACT, "id"): (
        "Contact ID|contact_id|Record ID - Contact|Contact record ID|hs_object_id (contact)",
        "コンタクトID|コンタクトのレコードID|レコードID - コンタクト",
        "Kontakt-ID|Kontakt ID|Datensatz-ID - Kontakt",
        "ID du contact|ID contact|ID d'enregistrement - Contact",
        "ID de contacto|ID del contacto|ID de registro - Contacto",
        "ID do contato|ID de contato|ID do registro - Contato",
        "Contact-ID|Contact ID|Record-ID - Contact",
    ),
    (CONTACT, "email"): (
        "Email|E-mail|Contact email|Email address|Contact Email <CONTACT email>",
        "Eメール|メールアドレス|コンタクトのメールアドレス",
        "E-Mail|E-Mail-Adresse|Kontakt E-Mail",
        "E-mail|Adresse e-mail|E-mail du contact",
        "Correo|Correo electrónico|Correo del contacto",
        "E-mail|E-mail do contato|Endereço de e-mail",
        "E-mail|E-mailadres|E-mail contact",
    ),
    (CONTACT, "name"): (
        "Contact|Contact name|Contact full name",
        "コンタクト|コンタクト名",
        "Kontakt|Kontaktname|Name des Kontakts",
        "Contact|Nom du contact",
        "Contacto|Nombre del contacto",
        "Contato|Nome do contato",
        "Contactpersoon|Naam contact",
    ),
    (COMPANY, "id"): (
        "Company ID|company_id|Record ID - Company|Associated Company IDs|Company record ID",
        "会社ID|会社のレコードID|レコードID - 会社|関連付けられた会社ID",
        "Unternehmens-ID|Firmen-ID|Datensatz-ID - Unternehmen",
        "ID de l'entreprise|ID entreprise|ID d'enregistrement - Entreprise",
        "ID de empresa|ID de la empresa|ID de registro - Empresa",
        "ID da empresa|ID de empresa|ID do registro - Empresa",
        "Bedrijfs-ID|Bedrijf ID|Record-ID - Bedrijf",
    ),
    (COMPANY, "domain"): (
        "Domain|Company domain|Company Domain Name|Website|Company domain <COMPANY domain>",
        "ドメイン|会社のドメイン名|ウェブサイト",
        "Domain|Unternehmensdomain|Firmendomain|Webseite",
        "Domaine|Domaine de l'entreprise|Nom de domaine de l'entreprise",
        "Dominio|Dominio de la empresa|Nombre de dominio de la empresa",
        "Domínio|Domínio da empresa|Nome de domínio da empresa",
        "Domein|Bedrijfsdomein|Domeinnaam van bedrijf",
    ),
    (COMPANY, "name"): (
        "Company|Company name|Account",
        "会社|会社名",
        "Unternehmen|Firma|Firmenname",
        "Entreprise|Société|Nom de l'entreprise",
        "Empresa|Nombre de la empresa",
        "Empresa|Nome da empresa",
        "Bedrijf|Bedrijfsnaam|Naam bedrijf",
    ),
    (DEAL, "id"): (
        "Deal ID|deal_id|Record ID - Deal",
        "取引ID|レコードID - 取引",
        "Deal-ID|Datensatz-ID - Deal",
        "ID de la transaction|ID transaction",
        "ID del negocio|ID de negocio",
        "ID do negócio|ID de negócio",
        "Deal-ID|Record-ID - Deal",
    ),
    (DEAL, "name"): (
        "Deal|Deal name",
        "取引|取引名",
        "Deal|Dealname",
        "Transaction|Nom de la transaction",
        "Negocio|Nombre del negocio",
        "Negócio|Nome do negócio",
        "Deal|Dealnaam",
    ),
}
_REASONS = (
    "Reason|Comment|Notes|Why",
    "理由|備考|メモ",
    "Grund|Kommentar|Notiz",
    "Motif|Commentaire|Remarque",
    "Motivo|Comentario|Nota",
    "Motivo|Comentário",
    "Reden|Opmerking",
)
_SIDES = (
    "From,To|Source,Target|from_object_id,to_object_id|First record,Second record|from id,to id",
    "関連付け元,関連付け先|関連付け元ID,関連付け先ID",
    "Von,Nach|Quelle,Ziel",
    "Source,Cible|De,Vers",
    "Desde,Hasta|Origen,Destino",
    "De,Para|Origem,Destino",
    "Van,Naar|Bron,Doel",
)
# Columns that are about something else, though records or addresses may stand in some.
_EXTRAS = (
    "City|Phone number|Create date|Lifecycle stage|Owner email|Amount|Parent company ID"
    "|Account manager|Last activity|Country|Postal code|#|Invoice number|Referred by",
    "市区町村|電話番号|作成日|担当者のメール|金額|国|郵便番号|親会社",
    "Ort|Telefon|Erstellt am|Betreuer E-Mail|Betrag|Land|PLZ|Mutterfirma|Kundennummer",
    "Ville|Téléphone|Date de création|E-mail du propriétaire|Montant|Pays|Code postal",
    "Ciudad|Teléfono|Fecha de creación|Correo del propietario|Importe|País|Código postal",
    "Cidade|Telefone|Data de criação|E-mail do proprietário|Valor|País|CEP",
    "Plaats|Telefoon|Aangemaakt op|E-mail eigenaar|Bedrag|Land|Postcode",
)
_VALUES = {
    "mail": lambda c: f"owner{c.randrange(5)}@ourselves.example",
    "phone": lambda c: f"+49 30 {c.randrange(10**5, 10**6)}",
    "date": lambda c: f"2026-0{c.randrange(1, 9)}-1{c.randrange(9)}",
    "number": lambda c: str(c.randrange(10**4, 10**6)),
    "word": lambda c: c.choice(("London", "Hamburg", "lead", "ok", "Lyon", "", "東京", "München")),
    "record": lambda c: str(c.randrange(2_000_001, 2_000_400)),  # companies that are there
}
_OF_EXTRAS = {
    "mail": "Owner email,担当者のメール,Betreuer E-Mail,E-mail du propriétaire,E-mail eigenaar,"
    "Correo del propietario,E-mail do proprietário,Referred by,Account manager",
    "phone": "Phone number,電話番号,Telefon,Téléphone,Teléfono,Telefone,Telefoon",
    "date": "Create date,作成日,Erstellt am,Date de création,Fecha de creación,Data de criação,"
    "Aangemaakt op,Last activity",
    "number": "Amount,金額,Betrag,Montant,Importe,Valor,Bedrag,Postal code,郵便番号,PLZ,"
    "Code postal,"
    "Código postal,CEP,Postcode,#,Invoice number,Kundennummer",
    "record": "Parent company ID,親会社,Mutterfirma",
}
_WHYS = (
    "SUP-1042",
    "as agreed",
    "wie besprochen",
    "d'accord à Évry",
    "引き継ぎ",
    "über Müller",
    "",
)


class Row(NamedTuple):
    """A row of the file with something in it: the two cells that name records."""

    one: Cell
    other: Cell


@dataclass(slots=True)
class File:
    """A file, what is meant by it, and what its sender says on the form and on the pages."""

    name: str
    kind: str
    content: bytes
    encoding: str
    types: tuple[str, str]  # of the two columns, in the file's order
    is_turned: bool  # the second cell of a row comes first in the file
    places: tuple[int, int]
    width: int
    reason_at: int | None
    rows: list[Row] = field(default_factory=list)
    head: list[str] = field(default_factory=list)
    says_types: bool = True  # its headings do, or else the person does on the form

    @property
    def meanings(self) -> list[str]:
        """What a person says of its columns who is asked."""
        said = [""] * self.width
        for side, place, object_type in zip(("from", "to"), self.places, self.types, strict=True):
            said[place] = f"{side}_object_id:{object_type}"
        if self.reason_at is not None:
            said[self.reason_at] = "reason"
        return said


class _Column(NamedTuple):
    heading: str
    what: str  # "one", "other", "reason", or a kind of _VALUES


def make(truth: Truth, chance: random.Random, number: int) -> File:
    """Make a file. What stands in it is the truth's to know."""
    language = chance.randrange(len(LANGUAGES))
    types = chance.choices(
        [(CONTACT, COMPANY), (DEAL, COMPANY), (DEAL, CONTACT)], weights=[6, 2, 2]
    )[0]
    types = types if chance.random() < 0.75 else types[::-1]
    keys = tuple(chance.choice(_keys(each)) for each in types)
    rows = [
        Row(*(truth.cell(each, key) for each, key in zip(types, keys, strict=True)))
        for _ in range(chance.choice((1, 3, 8, 15, 25)))
    ]
    rows += chance.sample(rows, len(rows) // 8)  # some twice
    rows = [row for row in rows if row.one.text.strip() or row.other.text.strip()]
    while not rows:
        rows = [Row(*(truth.cell(each, "id") for each in types))] * 2
        rows = [row for row in rows if row.one.text.strip() and row.other.text.strip()]
    has_header = chance.random() < 0.85
    is_by_sides = chance.random() < 0.12
    columns = _columns(
        language, types, keys, chance, is_bare=not has_header, is_by_sides=is_by_sides
    )
    table = [[_value(each, row, chance) for each in columns] for row in rows]
    head = [each.heading for each in columns]
    whats = [each.what for each in columns]
    is_turned = whats.index("other") < whats.index("one")
    kind = chance.choices(("csv", "semicolon", "tsv", "sep", "xlsx"), weights=[6, 4, 2, 1, 5])[0]
    lines = [head, *table] if has_header else table
    title = has_header and chance.random() < 0.03
    if title:
        lines = [["Our list of May", *[""] * (len(head) - 1)], *lines]
    content, encoding = _written(lines, kind, chance)
    names = [LANGUAGES[language], kind, encoding, "/".join(keys)]
    names += ["title"] * title + ["no header"] * (not has_header) + ["by sides"] * is_by_sides
    return File(
        name=f"{number}.{'xlsx' if kind == 'xlsx' else 'csv'}",
        kind=", ".join(names),
        content=content,
        encoding=encoding,
        types=types[::-1] if is_turned else types,
        is_turned=is_turned,
        places=tuple(sorted((whats.index("one"), whats.index("other")))),
        width=len(columns),
        reason_at=whats.index("reason") if "reason" in whats else None,
        rows=rows,
        head=head if has_header else [],
        says_types=has_header and not is_by_sides,
    )


def _keys(object_type: str) -> tuple[str, ...]:
    keys = {CONTACT: ("id", "email", "email", "name"), COMPANY: ("id", "domain", "domain", "name")}
    return keys.get(object_type, ("id", "id", "name"))


def _columns(
    language: int,
    types: tuple[str, str],
    keys: Sequence[str],
    chance: random.Random,
    *,
    is_bare: bool,
    is_by_sides: bool,
) -> list[_Column]:
    if is_by_sides:
        sides = chance.choice(_SIDES[language].split("|")).split(",")
    else:
        both = zip(types, keys, strict=True)
        sides = [chance.choice(_HEADINGS[each][language].split("|")) for each in both]
    columns = [_Column(sides[0], "one"), _Column(sides[1], "other")]
    reason = _Column(chance.choice(_REASONS[language].split("|")), "reason")
    has_reason = chance.random() < 0.5
    if is_bare:  # as the page says: two records and a reason
        return [*columns, reason] if has_reason else columns
    columns += [reason] * has_reason
    extras = _EXTRAS[language].split("|")
    count = chance.choice((0, 0, 1, 2, 4))
    columns += [_Column(each, _kind_of(each)) for each in chance.sample(extras, count)]
    if chance.random() < 0.6:
        chance.shuffle(columns)
    if is_by_sides:  # the first of them is the first
        first, second = (at for at, each in enumerate(columns) if each.what in ("one", "other"))
        columns[first], columns[second] = (_Column(sides[0], "one"), _Column(sides[1], "other"))
    return columns


def _kind_of(heading: str) -> str:
    return next((kind for kind, of in _OF_EXTRAS.items() if heading in of.split(",")), "word")


def _value(column: _Column, row: Row, chance: random.Random) -> str:
    cells = {"one": row.one.text, "other": row.other.text, "reason": chance.choice(_WHYS)}
    return cells[column.what] if column.what in cells else _VALUES[column.what](chance)


def _written(lines: list[list[str]], kind: str, chance: random.Random) -> tuple[bytes, str]:
    if kind == "xlsx":
        return _workbook(lines, chance), "xlsx"
    file = io.StringIO()
    if kind == "sep":
        file.write("sep=;\r\n")
    delimiter = {"csv": ",", "tsv": "\t"}.get(kind, ";")
    end = chance.choice(("\n", "\r\n", "\r\n"))
    csv.writer(file, delimiter=delimiter, lineterminator=end).writerows(lines)
    text = file.getvalue()
    if chance.random() < 0.1:
        text += end + delimiter + end
    encoding = chance.choice([each for each in _ASCII if _fits(text, each)])
    return text.encode(encoding), encoding


def _fits(text: str, encoding: str) -> bool:
    try:
        return text.encode(encoding).decode(encoding) == text
    except UnicodeError:
        return False


def _workbook(lines: list[list[str]], chance: random.Random) -> bytes:
    workbook = Workbook()
    as_numbers = chance.random() < 0.5
    for line in lines:
        workbook.active.append([_of_workbook(each, as_numbers) for each in line])
    for row in workbook.active:
        for cell in row:
            if cell.data_type == "f":  # openpyxl takes a text for a formula, which is not computed
                cell.data_type = "s"
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()


def _of_workbook(text: str, as_numbers: bool) -> str | int | None:
    if as_numbers and text.isascii() and text.isdigit():
        return int(text)
    return text or None
