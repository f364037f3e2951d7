"""What a browser reads out of a page before it asks for more: hidden fields, and late parts."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """`hidden` has the values by name, in the page's order; `late` what is fetched by itself."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.hidden: dict[str, list[str]] = {}
        self.late: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "input" and named.get("type") == "hidden" and named.get("name"):
            self.hidden.setdefault(named["name"], []).append(named.get("value") or "")
        if "hx-get" in named and "load" in (named.get("hx-trigger") or ""):
            self.late.append(named["hx-get"] or "")
