"""What people do with the form and with an entry, and what others do in HubSpot meanwhile."""

import random
import threading

from django.db import connection

from associations.gateway import rate_limiter
from associations.templatetags.cells import again_url
from tests.faults.walking.hubspot import Pair, Record
from tests.faults.walking.trouble import NONE, TROUBLES
from tests.faults.walking.world import Tab, World, pair_of

LABELS = {"contacts": "Contact", "companies": "Company", "deals": "Deal", "0-7": "Product"}
CONTACTS = ("501", "502", "503", "504")
COMPANIES = ("901", "902", "903")
MISSING = "383"
_DELETED = [("contacts", "504"), ("companies", "903"), ("contacts", "503")]
_MERGED: list[tuple[Record, str]] = [
    (("companies", "902"), "901"),
    (("companies", "901"), "9901"),
    (("contacts", "502"), "501"),
    (("contacts", "501"), "9501"),
]


def fields_of(pair: Pair) -> dict[str, str]:
    (from_type, from_id), (to_type, to_id) = pair
    return {
        "from_object_type": LABELS[from_type],
        "from_object_id": from_id,
        "to_object_type": LABELS[to_type],
        "to_object_id": to_id,
    }


def pair_in(fields: dict[str, str]) -> Pair:
    names = {label: name for name, label in LABELS.items()}
    return (
        (names[fields["from_object_type"]], fields["from_object_id"]),
        (names[fields["to_object_type"]], fields["to_object_id"]),
    )


def words(pair: Pair) -> str:
    return " → ".join(f"{LABELS[kind]} {number}" for kind, number in pair)


def some_pair(world: World, chance: random.Random) -> Pair:
    """Mostly the same few, so that walks meet what they did before."""
    drawn = chance.random()
    if drawn < 0.06:
        return ("contacts", MISSING), ("companies", chance.choice(COMPANIES))
    if drawn < 0.1:
        return ("0-7", "601"), ("contacts", chance.choice(CONTACTS))
    if drawn < 0.13:
        return ("contacts", "501"), ("contacts", "502")
    if drawn < 0.2:
        return ("deals", "701"), ("contacts", chance.choice(CONTACTS[:2]))
    if drawn < 0.6 and (entries := world.entries()):
        pair = pair_of(chance.choice(entries))
        return pair if chance.random() < 0.85 else pair[::-1]
    return ("contacts", chance.choice(CONTACTS)), ("companies", chance.choice(COMPANIES))


def _send(world: World, tab: Tab, who: str = "support") -> None:
    world.portal.actor = "form"
    world.post("/?submit", who, **tab.fields)
    tab.sent_at = tab.sent_at or world.now


def _open_tab(world: World, pair: Pair, token: str = "") -> Tab:
    token = token or world.get("/").fields["submit_token"]
    tab = Tab(fields_of(pair) | {"reason": "SUP-1", "submit_token": token})
    world.tabs.append(tab)
    return tab


def submit(world: World, chance: random.Random) -> None:
    pair = some_pair(world, chance)
    # Most forms were read before: reading each would take as long as all the rest.
    token = "" if chance.random() < 0.3 else f"token-{chance.getrandbits(64)}"
    _send(world, _open_tab(world, pair, token))
    world.note(f"link {words(pair)}")


def look_link_and_look(world: World, chance: random.Random) -> None:
    """As one does: the form shows the two while they are filled in, and “again” once more."""
    pair = some_pair(world, chance)
    world.post("/preview/", **fields_of(pair))
    world.clock.put_forward(1)
    _send(world, _open_tab(world, pair, f"token-{chance.getrandbits(64)}"))
    world.clock.put_forward(1)
    world.post("/preview/", **fields_of(pair))
    world.note(f"preview and link {words(pair)}, and preview again a second later")


def open_form(world: World, chance: random.Random) -> None:
    pair = some_pair(world, chance)
    _open_tab(world, pair)
    world.note(f"open the form in a tab and fill in {words(pair)}")


def preview(world: World, chance: random.Random) -> None:
    pair = some_pair(world, chance)
    world.post("/preview/", **fields_of(pair))
    world.note(f"preview {words(pair)}")


def check_form(world: World, chance: random.Random) -> None:
    tab = _open_tab(world, some_pair(world, chance))
    world.post("/?submit", **tab.fields, check="1")
    world.note(f"the button Check with {words(pair_in(tab.fields))}")


def submit_tab(world: World, chance: random.Random) -> None:
    tabs = [tab for tab in world.tabs if tab.sent_at is None]
    if tabs:
        tab = chance.choice(tabs)
        _send(world, tab)
        world.note(f"link {words(pair_in(tab.fields))} in a tab that was open")


def submit_wrong(world: World, chance: random.Random) -> None:
    tab = _open_tab(world, some_pair(world, chance))
    tab.fields["to_object_id"] = "90x"
    _send(world, tab)
    world.tabs.remove(tab)
    world.note("link with an id that is none")


def submit_twice_at_once(world: World, chance: random.Random) -> None:
    tab = _open_tab(world, some_pair(world, chance))
    world.portal.actor = "form"
    shown: list[str] = []

    def send() -> None:
        try:
            shown.append(world.clients["support"].post("/?submit", tab.fields).headers["Location"])
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tab.sent_at = world.step_began = world.now  # what is read from here on sends nothing
    world.note(f"link {words(pair_in(tab.fields))} by a double click")
    for address in sorted({*shown}):
        world.get(address)


def back_and_submit(world: World, chance: random.Random) -> None:
    tabs = [tab for tab in world.tabs if tab.sent_at]
    if tabs:
        tab = chance.choice(tabs[-2:])
        world.resent = tab
        _send(world, tab)
        world.note(f"Back, and link {words(pair_in(tab.fields))} again")


def back_and_change(world: World, chance: random.Random) -> None:
    tabs = [tab for tab in world.tabs if tab.sent_at]
    if tabs:
        old = chance.choice(tabs)
        changed = {"to_object_type": "Company", "to_object_id": chance.choice(COMPANIES)}
        if old.fields["from_object_type"] == "Contact" and old.fields | changed != old.fields:
            tab = Tab(old.fields | changed)
            world.tabs.append(tab)
            _send(world, tab)
            world.note(f"Back, and link {words(pair_in(tab.fields))} instead")


def again(world: World, chance: random.Random) -> None:
    entries = [entry for entry in world.entries() if entry.user.name == "Support"]
    if entries:
        entry = chance.choice(entries)
        page = world.get(again_url(entry))
        filled = {name: page.fields[name] for name in fields_of(pair_of(entry))}
        world.tabs.append(Tab(filled | {"submit_token": page.fields["submit_token"]}))
        world.note(f"follow “again” to {words(pair_in(filled))}")
        world.post("/preview/", **filled)


def check_again(world: World, chance: random.Random) -> None:
    entries = [entry for entry in world.entries() if not entry.is_open]
    if entries:
        entry = chance.choice(entries)
        who = "admin" if entry.user.name == "Admin" else chance.choice(["support", "admin"])
        page = world.post(f"/requests/{entry.pk}/check/", who)
        world.note(f"Check again on entry {entry.pk}")
        if chance.random() < 0.3 and "?checked" in page.address:
            world.get(page.address, who)


def reload(world: World, chance: random.Random) -> None:
    if entries := world.entries():
        entry = chance.choice(entries)
        world.get(f"/requests/{entry.pk}/", "admin" if chance.random() < 0.4 else "support")
        world.note(f"read entry {entry.pk}")


# --- in HubSpot ---------------------------------------------------------------------------------


def _now(world: World, pair: Pair) -> Pair:
    """The two records by the ids that HubSpot has them under."""
    one, other = map(world.portal.identity, pair)
    return one, other


def link_removed(world: World, chance: random.Random) -> None:
    pairs = [pair_of(entry) for entry in world.entries()]
    there = [pair for pair in pairs if world.portal.is_linked(pair, default=False)]
    if there:
        pair = chance.choice(there)
        world.portal.store.remove(_now(world, pair))
        world.note(f"somebody removes the link {words(pair)} in HubSpot")


def link_made(world: World, chance: random.Random) -> None:
    pair = some_pair(world, chance)
    is_possible = {kind for kind, _ in pair} == {"contacts", "companies"}
    if is_possible and all(map(world.portal.has, pair)):
        label = chance.choice([None, None, "Decision maker"])
        (one, one_id), (other, other_id) = sorted(_now(world, pair), reverse=True)
        world.portal.store.add_many(one, other, [(one_id, other_id)], label)
        world.note(f"somebody links {words(pair)} in HubSpot ({label or 'default'})")


def record_deleted(world: World, chance: random.Random) -> None:
    record: Record = chance.choice(_DELETED)
    if world.portal.has(record):
        world.portal.delete(record)
        world.note(f"somebody deletes {LABELS[record[0]]} {record[1]} in HubSpot")
    else:
        world.portal.restore(record)
        world.note(f"somebody restores {LABELS[record[0]]} {record[1]} in HubSpot")


def records_merged(world: World, chance: random.Random) -> None:
    """Where the sandbox can: into a record that is there, or into a new one."""
    record, other = chance.choice(_MERGED)
    new = world.portal.identity((record[0], other))[1]
    done = {old for _, old, _ in world.portal.merged}
    if world.portal.can_merge and record not in done:
        world.portal.sandbox.names_as_asked = chance.random() < 0.5
        world.portal.merge(record, new)
        world.note(f"somebody merges {LABELS[record[0]]} {record[1]} into {new} in HubSpot")


# Of which record a text is taken, and to which one it goes.
_MOVED = [
    ("email", ("contacts", "501"), ("contacts", "505"), "ada@example.com"),
    ("domain", ("companies", "901"), ("companies", "905"), "harbour.example"),
    ("name", ("companies", "906"), ("companies", "907"), "Harbour Foods"),
]


def text_moves(world: World, chance: random.Random) -> None:
    """An address, a domain or a name goes to another record, or is another's as well."""
    name, old, new, text = chance.choice(_MOVED)
    if name == "email" or chance.random() < 0.3:
        if any(record == old for _, record, _ in world.portal.merged):
            return
        world.portal.change(old, **{name: f"was-{text}"})
    world.portal.change(new, **{name: text})
    world.note(f"{LABELS[new[0]]} {new[1]} gets the {name} {text} in HubSpot")


def an_hour_passes(world: World, chance: random.Random) -> None:
    world.clock.put_forward(4000)
    world.sees_worker()
    world.note("more than an hour passes")


def trouble_begins(world: World, chance: random.Random) -> None:
    trouble = chance.choice(TROUBLES)
    world.begin(trouble)
    world.note(f"HubSpot: {trouble.name}")


def trouble_ends(world: World, chance: random.Random) -> None:
    if world.trouble is not NONE:
        world.begin(NONE)
        world.note("HubSpot: all is well again")


def previews_used_up(world: World, chance: random.Random) -> None:
    person = world.clients["support"].session["_auth_user_id"]
    while not rate_limiter.look_wait(int(person)):
        pass
    world.previews_used_up = world.now
    world.note("Support has looked up as much as one may")
