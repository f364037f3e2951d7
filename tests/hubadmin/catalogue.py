"""Reads the translators' catalogue and the templates, for the tests of what pages say."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from django.template.base import Lexer, TokenType


@dataclass(slots=True)
class Message:
    """One entry of a .po file; `texts` are its translations, one for each form of the plural."""

    flags: str = ""
    context: str | None = None
    id: str | None = None
    plural: str | None = None
    texts: dict[int, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str | None, str | None, str | None]:
        return self.context, self.id, self.plural


_LINE = re.compile(r'(msgctxt|msgid|msgid_plural|msgstr)(?:\[(\d+)\])? (".*")')


def messages_of(po: Path) -> list[Message]:
    """Return every message of a .po file but its header. Obsolete ones are comments there."""
    blocks = po.read_text(encoding="utf-8").split("\n\n")
    return [message for block in blocks if (message := _message(block)).id]


def _message(block: str) -> Message:
    message, name, number = Message(), "", 0
    for line in block.splitlines():
        if line.startswith("#,"):
            message.flags += line[2:]
        elif match := _LINE.fullmatch(line):
            name, number = match[1], int(match[2] or 0)
            _add(message, name, number, ast.literal_eval(match[3]))
        elif line.startswith('"'):
            _add(message, name, number, ast.literal_eval(line))
    return message


def _add(message: Message, name: str, number: int, text: str) -> None:
    if name == "msgstr":
        message.texts[number] = message.texts.get(number, "") + text
        return
    attribute = {"msgctxt": "context", "msgid": "id", "msgid_plural": "plural"}[name]
    setattr(message, attribute, (getattr(message, attribute) or "") + text)


class PageText(HTMLParser):
    """Collects what people read of a page, and what is read out to them.

    Left out: what stands there as it is for machines and as others have said it.
    """

    LEFT_OUT = {"script", "style", "code", "pre", "time"}
    VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta"}
    READ_OUT = {"aria-label", "aria-description", "title", "alt", "placeholder", "label"}

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attributes}
        is_left_out = tag in self.LEFT_OUT or named.get("lang") == "en"
        if not is_left_out and not self._is_left_out():
            self.found += self._read_out(tag, named)
        if tag not in self.VOID:
            self._open.append((tag, is_left_out))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not self._is_left_out():
            self.found.append(" ".join(data.split()))

    def _is_left_out(self) -> bool:
        return any(is_left_out for _, is_left_out in self._open)

    def _read_out(self, tag: str, named: dict[str, str]) -> Iterator[str]:
        yield from (value for name, value in named.items() if name in self.READ_OUT)
        # What a script is to say stands in attributes of its own: words, not an element's id.
        yield from (v for n, v in named.items() if n.startswith("data-") and v[:1].isupper())
        if tag == "input" and named.get("type") in ("submit", "button", "reset"):
            yield named.get("value", "")


def text_of(html: str) -> list[str]:
    """Return the texts that people read on a page."""
    page = PageText()
    page.feed(html)
    page.close()
    return [text for text in page.found if text]


_FILTER_ARGUMENT = re.compile(
    r"\|(?:default|default_if_none|yesno|pluralize|add|join):[\"'][^\"']*[A-Za-z]"
)
_PARAMETER = re.compile(r"\b\w+=([\"'])([A-Z][^\"']*|[^\"']* [^\"']*)\1")


def unmarked_in(template: str) -> list[str]:
    """Return what a template says to people without asking for its translation."""
    html, found, inside = "", [], ""
    for token in Lexer(template).tokenize():
        name = token.contents.split(" ", 1)[0] if token.token_type is TokenType.BLOCK else ""
        if inside:
            inside = "" if name == inside else inside
        elif name in ("blocktranslate", "comment"):
            inside = f"end{name}"
        elif token.token_type is TokenType.TEXT:
            html += token.contents
        elif token.token_type in (TokenType.VAR, TokenType.BLOCK):
            found += _FILTER_ARGUMENT.findall(token.contents)
            if name in ("include", "with"):
                found += [text for _, text in _PARAMETER.findall(token.contents)]
    return found + text_of(html)
