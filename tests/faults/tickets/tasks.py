"""What tickets ask for: "link <this person> to <that company>", said in each of the ways."""

from collections.abc import Sequence
from typing import NamedTuple

from tests.faults.tickets import sayings as by
from tests.faults.tickets.sayings import Said, Saying, Telling
from tests.faults.tickets.truth import CAR, COMPANY, CONTACT, DEAL, TICKET


class Task(NamedTuple):
    """A record, and what it belongs to."""

    from_: Said
    to: Said


class Way(NamedTuple):
    """How often something is said, and so."""

    weight: int
    say: Saying
    type_id: str


def _of(type_id: str, *ways: tuple[int, Saying]) -> list[Way]:
    return [Way(weight, say, type_id) for weight, say in ways]


def _of_any(type_id: str) -> list[Way]:
    """Names, ids and addresses."""
    return _of(
        type_id,
        (8, by.by_name("name", by.is_single)),
        (10, by.by_name("name of several", by.is_twin)),
        (3, by.by_name("name, lower case", by.is_single, str.lower)),
        (4, by.by_name("name, begun", by.is_single, by.begun)),
        (3, by.by_name("name with accents", by.is_accented)),
        (3, by.by_name("name without its accents", by.is_accented, by.without_accents)),
        (3, by.by_name("name, Japanese", by.is_japanese)),
        (2, by.by_name("name, apostrophe", by.has_apostrophe)),
        (2, by.by_name("name, other apostrophe", by.has_apostrophe, by.with_other_apostrophe)),
        (1, by.by_name("name, very long", by.is_long)),
        (2, by.by_merged_name),
        (2, by.new_by_name),
        (2, by.new_twin),
        (2, by.by_prefix_and_name),
        (4, by.by_reference("address", lambda each: by.address_of(each.key))),
        (1, by.by_reference("address and more", lambda each: f"{by.address_of(each.key)}/x?a=1")),
        (1, by.by_reference("address in brackets", lambda each: f"<{by.address_of(each.key)}>")),
        (3, by.by_reference("type and id", by.type_and_id)),
        (3, by.by_reference("id, type chosen", by.id_alone, narrows=True)),
        (3, by.in_vain("id alone", by.id_alone)),
        (1, by.in_vain("address, other portal", lambda each: by.address_of(each.key, "777"))),
        (1, by.in_vain("address of a list", by.of_a_list)),
        (1, by.in_vain("id, rounded", lambda each: f"{each.key.record_id[0]}.23E+11")),
        (1, by.by_archived_id),
        (2, by.by_merged_id),
        (2, by.of_other_type),
        (1, by.other_type_and_id),
    )


FROM = [
    *_of_any(CONTACT),
    *_of(
        CONTACT,
        (14, by.by_email("e-mail")),
        (6, by.by_email("e-mail, secondary", of="hs_additional_emails")),
        (3, by.by_email("e-mail, upper case", str.upper)),
        (2, by.by_email("e-mail, spaces", "\u00a0 {} ".format)),
        (2, by.by_email("e-mail in brackets", "<{}>".format)),
        (1, by.by_email("e-mail, mailto:", "mailto:{}".format)),
        (1, by.by_email("e-mail, full width", by.in_full_width)),
        (1, by.by_email("e-mail, unseen mark", "\u200b{}\ufeff".format)),
        (1, by.by_name_and_email),
        (2, by.by_nobodys_email),
        (2, by.by_archived_email),
        (1, by.by_moved_email),
        (2, by.new_by_email),
        (2, by.by_name("name, family first", by.is_single, by.family_first)),
        (4, by.by_phone),
        (1, by.by_phone_in_groups),
    ),
    *_of(TICKET, (2, by.by_prefix_and_name)),
]
TO = [
    *_of_any(COMPANY),
    *_of(
        COMPANY,
        (8, by.by_domain("domain", is_shared=False)),
        (6, by.by_domain("domain of several", is_shared=True)),
        (3, by.by_domain("domain, https://", "https://www.{}/about?x=1".format)),
        (2, by.by_domain("domain, @", "@{}".format)),
        (2, by.by_domain("domain below it", "shop.{}".format)),
        (1, by.by_domain("domain, upper case", str.upper)),
        (2, by.by_free_mail),
        (3, by.by_email_of_employee),
        (2, by.new_by_domain),
        (3, by.by_phone),
    ),
    *_of(DEAL, (3, by.by_prefix_and_name)),
    *_of(CAR, (1, by.by_vin)),
]


def tell(telling: Telling) -> Task:
    """Return a task; what cannot be said of a record that was drawn is said of another."""
    return Task(_said(telling, FROM), _said(telling, TO))


def _said(telling: Telling, ways: Sequence[Way]) -> Said:
    (way,) = telling.chance.choices(ways, [each.weight for each in ways])
    for _ in range(2_000):
        if said := way.say(telling, telling.world.there(way.type_id, telling.chance)):
            return said
    return _said(telling, ways)  # there is no such record in the portal
