"""What a page says: its texts, each with the place where it stands and whom it is about."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any


def _tags(text: str) -> set[str]:
    return set(text.split())


_VOID = _tags("area base br col embed hr img input link meta source track wbr rect line")
_APART = _tags("""
    p li h1 h2 h3 td th dt dd div button summary label legend caption figcaption title main section
    form ul dl table tbody thead tr article aside fieldset details figure noscript body html""")
_SILENT = _tags("script style svg pre header footer nav datalist template")
_ALONE = {"with-all", "without-linked"}  # of which the page shows one
# What a form offers, and HubSpot's own words.
_NOT_OURS = {"filter", "upload-form", "said", "languages", "banner", "chips", "timeline"}
_PLACES = {"dt": "name", "th": "name", "legend": "name", "title": "title", "label": "choice"}
_ENTRY, _RUN = re.compile(r"/requests/(\d+)/(?:\?.*)?"), re.compile(r"/bulk/(\d+)/(?:\?.*)?")


@dataclass(frozen=True, slots=True)
class Text:
    """`place` is what kind of text it is: a sentence, an outcome's word, a fact, a file's cell.

    `about` is the entry or the run that its row leads to, such as ("entry", 7).
    """

    text: str
    place: str = ""
    tone: str = ""  # classes of what it stands in
    about: tuple[str, int] | None = None
    is_notice: bool = False


@dataclass(slots=True)
class Page:
    """What somebody was shown."""

    kind: str
    address: str
    status: int
    texts: list[Text]
    fields: dict[str, str] = field(default_factory=dict)
    has_hubspots_words: bool = False
    links: list[str] = field(default_factory=list)
    rows: list[dict[str, str]] = field(default_factory=list)  # of a file
    known: dict[tuple[str, int], Any] = field(default_factory=dict)  # entries and runs, once asked

    @property
    def whole(self) -> str:
        return " ".join(each.text for each in self.texts)

    @property
    def whole_notice(self) -> str:
        """All that the page's notices say."""
        return " ".join(each.text for each in self.texts if each.is_notice)

    def of(self, place: str) -> list[Text]:
        return [each for each in self.texts if each.place == place]


class _Node:
    def __init__(self, tag: str, attrs: dict[str, str], parent: "_Node | None") -> None:
        self.tag, self.attrs, self.parent = tag, attrs, parent
        self.children: list[_Node | str] = []
        self.classes = attrs.get("class", "").split()

    def nodes(self) -> Iterator["_Node"]:
        yield self
        for child in self.children:
            if isinstance(child, _Node):
                yield from child.nodes()

    @property
    def is_silent(self) -> bool:
        is_hidden = self.attrs.get("aria-hidden") == "true" or self.tag in _SILENT
        return is_hidden or bool(_NOT_OURS & {*self.classes})

    @property
    def is_apart(self) -> bool:
        return self.tag in _APART or bool(_ALONE & {*self.classes})

    @property
    def is_outcome(self) -> bool:
        return self.tag == "span" and "outcome" in self.classes


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = self.at = _Node("root", {}, None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = _Node(tag, {name: value or "" for name, value in attrs}, self.at)
        self.at.children.append(node)
        if tag not in _VOID:
            self.at = node

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        node: _Node | None = self.at
        while node and node.tag != tag:
            node = node.parent
        if node and node.parent:
            self.at = node.parent

    def handle_data(self, data: str) -> None:
        self.at.children.append(data)


def read_html(kind: str, address: str, status: int, source: str) -> Page:
    builder = _Builder()
    builder.feed(source)
    nodes = list(builder.root.nodes())
    inputs = [each.attrs for each in nodes if each.tag == "input" and "name" in each.attrs]
    return Page(
        kind,
        address,
        status,
        list(_texts(builder.root)),
        {each["name"]: each.get("value", "") for each in inputs} | _selected(nodes),
        any("said" in each.classes and _words_in(each) for each in nodes),
        [each.attrs["href"] for each in nodes if each.tag == "a" and "href" in each.attrs],
    )


def _selected(nodes: list[_Node]) -> dict[str, str]:
    """What is chosen in each list, by the words that people see."""
    return {
        node.attrs["name"]: _text_of(option)
        for node in nodes
        if node.tag == "select" and "name" in node.attrs
        for option in node.nodes()
        if "selected" in option.attrs
    }


def _texts(
    node: _Node, tone: str = "", about: tuple[str, int] | None = None, is_notice: bool = False
) -> Iterator[Text]:
    if node.is_silent:
        return
    is_notice = is_notice or "notice" in node.classes
    if node.attrs.get("data-label") == "Found in HubSpot" and node.parent:
        about = _side(node.parent) or about
    if node.tag in ("tr", "li") or "ended-run" in node.classes:
        about = _about(node) or about
    tone = " ".join(node.classes) if node.classes and node.tag != "p" else tone
    if node.is_outcome:
        place = f"outcome of {about[0]}" if about else "outcome"
        yield Text(_text_of(node), place, " ".join(node.classes), about, is_notice)
    elif (node.is_apart or node.tag == "root") and (text := _text_of(node)):
        yield Text(text, _place(node), tone, about, is_notice)
    for child in node.children:
        if isinstance(child, _Node):
            yield from _texts(child, tone, about, is_notice)


def _place(node: _Node) -> str:
    if node.tag == "dd" and node.parent:
        siblings = [each for each in node.parent.children if isinstance(each, _Node)]
        name = next((each for each in siblings if each.tag == "dt"), None)
        return f"fact {_text_of(name)}" if name else ""
    if node.attrs.get("data-label") == "Found in HubSpot":
        return "found"
    return {"dt": "name", "th": "name", "title": "title", "label": "choice", "legend": "name"}.get(
        node.tag, ""
    )


def _text_of(node: _Node) -> str:
    """What stands in it, and in what stands in its line."""
    return " ".join("".join(_parts(node)).split())


def _words_in(node: _Node) -> bool:
    return any(_text_of(each) for each in node.nodes())


def _parts(node: _Node) -> Iterator[str]:
    for child in node.children:
        if isinstance(child, str):
            yield child
        elif not (child.is_apart or child.is_silent or child.is_outcome):
            yield from _parts(child)


def _about(row: _Node) -> tuple[str, int] | None:
    addresses = [each.attrs.get("href", "") for each in row.nodes() if each.tag == "a"]
    for kind, pattern in (("entry", _ENTRY), ("run", _RUN)):
        if found := next(filter(None, map(pattern.fullmatch, addresses)), None):
            return kind, int(found[1])
    return None


def _side(row: _Node) -> tuple[str, int] | None:
    """Of which side the records are that a column of a file names: the first or the second."""
    chosen = [each for each in row.nodes() if "selected" in each.attrs]
    meaning = chosen[0].attrs.get("value", "") if chosen else ""
    sides = {"from_object_id": 0, "to_object_id": 1}
    side = sides.get(meaning.partition(":")[0])
    return None if side is None else ("side", side)


def read_csv(kind: str, address: str, status: int, source: str) -> Page:
    """A file: each cell that tells something is a text, about the entry of its row if there is."""
    rows = list(csv.DictReader(io.StringIO(source.removeprefix("\ufeff"))))
    texts = [
        Text(row[name], f"cell {name}", "", ("row", number))
        for number, row in enumerate(rows)
        for name in ("state", "linked", "what_happened", "problem")
        if row.get(name)
    ]
    return Page(kind, address, status, texts, rows=rows)
