"""In which ways a ticket speaks of a record."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from hubadmin.demo.sandbox.portal import PORTAL_ID
from tests.faults.tickets.truth import CAR, COMPANY, CONTACT, DEAL, TICKET, Key, Known, Truth
from tests.faults.tickets.world import World

WORDS = {CONTACT: "contact", COMPANY: "company", DEAL: "deal", TICKET: "ticket", CAR: "car"}
_LIST = f"https://app.hubspot.com/contacts/{PORTAL_ID}/objects/{{}}/views/all/list"
_CURLY = "\u2019"  # the apostrophe of printers
_FREE_MAIL = ["gmail.com", "outlook.com", "yahoo.com"]


@dataclass(frozen=True, slots=True)
class Said:
    """How a ticket speaks of one record.

    `wanted` is what it means, None if nothing in HubSpot is meant (any more). `exact` are the
    records whose exact key the text is: none for a name. `narrowed` is the type chosen beside it.
    """

    kind: str
    text: str
    wanted: Known | None
    exact: frozenset[Key] = frozenset()
    narrowed: str = ""

    def may_be(self, key: Key) -> bool:
        """Whether the text alone is enough to know that this record is meant."""
        return self.exact == {key}


@dataclass(frozen=True, slots=True)
class Telling:
    """What whoever tells can draw upon."""

    world: World
    chance: Random

    @property
    def truth(self) -> Truth:
        return self.world.truth

    def exactly(self, kind: str, text: str, wanted: Known, *key: str, narrowed: str = "") -> Said:
        """By a key that others may have, too; `key` is what it is, and its value."""
        return Said(kind, text, wanted, frozenset(self.truth.having(*key)), narrowed)


# One way to speak of a record; nothing where it cannot be spoken of like that.
Saying = Callable[[Telling, Known], Said | None]


# --- e-mail addresses -----------------------------------------------------------------------------


def by_email(kind: str, spell: Callable[[str], str] = str, of: str = "email") -> Saying:
    def say(telling: Telling, wanted: Known) -> Said | None:
        addresses = wanted.all_of(of)
        if not addresses:
            return None
        address = telling.chance.choice(addresses)
        return telling.exactly(kind, spell(address), wanted, "email", address)

    return say


def in_full_width(text: str) -> str:
    """As a Japanese keyboard may write it."""
    return "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in text)


def by_name_and_email(telling: Telling, wanted: Known) -> Said | None:
    """As programs for mail copy it."""
    address = wanted.properties.get("email")
    if not address:
        return None
    text = f'"{wanted.name}" <{address}>'
    return telling.exactly("name and <e-mail>", text, wanted, "email", address)


def by_nobodys_email(telling: Telling, wanted: Known) -> Said:
    return Said("e-mail of nobody", f"nobody.{wanted.key.record_id}@example.com", None)


def by_archived_email(telling: Telling, _: Known) -> Said | None:
    gone = telling.world.archived(CONTACT)
    left = [each for each in gone.all_of("email") if not telling.truth.having("email", each)]
    return Said("e-mail, archived", left[0], None) if left else None


def by_moved_email(telling: Telling, wanted: Known) -> Said | None:
    """Somebody else's until a moment ago."""
    moved = telling.world.move_address(wanted)
    return moved and telling.exactly(
        "e-mail, moved just now", moved[0], moved[1], "email", moved[0]
    )


# --- names ----------------------------------------------------------------------------------------

Test = Callable[[Telling, Known], bool]


def by_name(kind: str, is_such: Test, spell: Callable[[str], str] = str) -> Saying:
    def say(telling: Telling, wanted: Known) -> Said | None:
        is_said = bool(wanted.name) and is_such(telling, wanted)
        return Said(kind, spell(wanted.name), wanted) if is_said else None

    return say


def is_single(telling: Telling, wanted: Known) -> bool:
    return len(telling.truth.having("name", wanted.name)) == 1


def is_twin(telling: Telling, wanted: Known) -> bool:
    return not is_single(telling, wanted)


def is_accented(_: Telling, wanted: Known) -> bool:
    return wanted.name != without_accents(wanted.name) and not is_japanese(_, wanted)


def is_japanese(_: Telling, wanted: Known) -> bool:
    return any("\u3040" <= each <= "\u9fff" for each in wanted.name)


def is_long(_: Telling, wanted: Known) -> bool:
    return len(wanted.name) > 50


def has_apostrophe(_: Telling, wanted: Known) -> bool:
    return not {"'", _CURLY}.isdisjoint(wanted.name)


def without_accents(name: str) -> str:
    split = unicodedata.normalize("NFD", name)
    return "".join(each for each in split if not unicodedata.combining(each))


def with_other_apostrophe(name: str) -> str:
    return name.replace("'", _CURLY) if "'" in name else name.replace(_CURLY, "'")


def family_first(name: str) -> str:
    return ", ".join(reversed(name.rsplit(" ", 1)))


def begun(name: str) -> str:
    """As far as one types before the list comes."""
    return name[: max(4, len(name) * 2 // 3)].strip()


def by_merged_name(telling: Telling, wanted: Known) -> Said | None:
    """The ticket has the name of before; what is left may have another one."""
    old = telling.world.merged(wanted.key.type_id)
    left = telling.truth.now(old.key)
    return Said("name, merged", old.name, left) if old.name and left else None


def by_prefix_and_name(telling: Telling, wanted: Known) -> Said:
    word = WORDS[wanted.key.type_id]
    colon = telling.chance.choice([": ", ":", "\uff1a"])
    return Said(f"{word}: name", f"{word}{colon}{wanted.name}", wanted)


# --- domains, numbers -----------------------------------------------------------------------------


def by_domain(
    kind: str, spell: Callable[[str], str] = str, is_shared: bool | None = None
) -> Saying:
    def say(telling: Telling, wanted: Known) -> Said | None:
        domain = wanted.properties.get("domain")
        if not domain or domain in _FREE_MAIL:
            return None
        if is_shared is not None and (len(telling.truth.having("domain", domain)) > 1) != is_shared:
            return None
        return telling.exactly(kind, spell(domain), wanted, "domain", domain)

    return say


def by_free_mail(telling: Telling, wanted: Known) -> Said:
    return Said("domain, free mail", telling.chance.choice(_FREE_MAIL), wanted)


def by_email_of_employee(telling: Telling, wanted: Known) -> Said | None:
    """An address of somebody whom HubSpot does not know, where the company belongs."""
    domain = wanted.properties.get("domain")
    text, narrowed = f"nobody.at.all@{domain}", COMPANY
    return Said("e-mail of an employee", text, wanted, narrowed=narrowed) if domain else None


def by_phone(telling: Telling, wanted: Known) -> Said | None:
    numbers = wanted.all_of("phone", "mobilephone")
    if not numbers:
        return None
    number = telling.chance.choice(numbers)
    return telling.exactly("phone", number, wanted, "phone", number)


def by_phone_in_groups(telling: Telling, wanted: Known) -> Said | None:
    """As it is dialled, in other groups than HubSpot has it."""
    said = by_phone(telling, wanted)
    number = said.text.replace("+", "00").replace(" ", "-") if said else ""
    return said and replace(said, kind="phone, as dialled", text=number)


def by_vin(telling: Telling, wanted: Known) -> Said | None:
    vin = wanted.properties.get("vin")
    return vin and telling.exactly("unique property", vin, wanted, "vin", vin, narrowed=CAR)


# --- ids and addresses ----------------------------------------------------------------------------


def address_of(key: Key, portal: str = PORTAL_ID, host: str = "app.hubspot.com") -> str:
    return f"https://{host}/contacts/{portal}/record/{key.type_id}/{key.record_id}"


def type_and_id(record: Known) -> str:
    return f"{WORDS[record.key.type_id]} {record.key.record_id}"


def id_alone(record: Known) -> str:
    return record.key.record_id


def by_reference(kind: str, spell: Callable[[Known], str], *, narrows: bool = False) -> Saying:
    def say(telling: Telling, wanted: Known) -> Said:
        narrowed = wanted.key.type_id if narrows else ""
        return Said(kind, spell(wanted), wanted, frozenset([wanted.key]), narrowed)

    return say


def in_vain(kind: str, spell: Callable[[Known], str]) -> Saying:
    """What names no record, by itself at least; whoever wrote it means one all the same."""
    return lambda telling, wanted: Said(kind, spell(wanted), wanted)


def of_a_list(record: Known) -> str:
    return _LIST.format(record.key.type_id)


def by_archived_id(telling: Telling, wanted: Known) -> Said:
    return Said("id, archived", type_and_id(telling.world.archived(wanted.key.type_id)), None)


def by_merged_id(telling: Telling, wanted: Known) -> Said:
    old = telling.world.merged(wanted.key.type_id)
    left = telling.truth.now(old.key)
    return Said("id, merged", type_and_id(old), left, frozenset([left.key] if left else []))


def of_other_type(telling: Telling, wanted: Known) -> Said | None:
    """The id is right, the type beside it is the other side's."""
    narrowed = COMPANY if wanted.key.type_id == CONTACT else CONTACT
    is_both = telling.truth.now(Key(narrowed, wanted.key.record_id))
    kind, text = "id, wrong type chosen", wanted.key.record_id
    return None if is_both else Said(kind, text, wanted, narrowed=narrowed)


def other_type_and_id(telling: Telling, wanted: Known) -> Said | None:
    """The same, said in words."""
    if not (said := of_other_type(telling, wanted)):
        return None
    text = f"{WORDS[said.narrowed]} {said.text}"
    return replace(said, kind="wrong type and id", text=text, narrowed="")


# --- just created ---------------------------------------------------------------------------------


def new_by_email(telling: Telling, _: Known) -> Said:
    made = telling.world.create(CONTACT)
    address = made.properties["email"]
    return telling.exactly("new, e-mail", address, made, "email", address)


def new_by_name(telling: Telling, wanted: Known) -> Said:
    made = telling.world.create(wanted.key.type_id)
    return Said("new, name", made.name, made)


def new_twin(telling: Telling, wanted: Known) -> Said:
    """Search knows the other one of that name only."""
    made = telling.world.create(wanted.key.type_id, twin=True)
    return Said("new, name of another", made.name, made)


def new_by_domain(telling: Telling, _: Known) -> Said:
    made = telling.world.create(COMPANY)
    domain = made.properties["domain"]
    return telling.exactly("new, domain", domain, made, "domain", domain)
