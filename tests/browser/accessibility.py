"""What a page has to keep for everybody, whatever they see, hear and operate it with.

axe and the checks of `accessibility.js` are put into the page by the debugger, past its CSP.
"""

import os
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from playwright.sync_api import CDPSession, Page

HERE = Path(__file__).parent
AXE = HERE / "node_modules/axe-core/axe.min.js"
CHECKS = HERE / "accessibility.js"
IS_AVAILABLE = AXE.is_file()
ORDINARY = {"color_scheme": "light", "reduced_motion": "no-preference", "forced_colors": "none"}


@dataclass(frozen=True)
class Look:
    """A way to look at a page, and what is checked in it; `width` and `letters` in CSS px."""

    checks: list[str]
    width: int = 1280
    letters: int = 16
    media: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        media = [f"{name}={value}" for name, value in self.media.items()]
        return " ".join([f"{self.width} px", f"letters {self.letters} px", *media])


# Each width and each scheme once; colours do not depend on the width. EVERY_LOOK=1 tries all four.
SCREENS = [(390, "dark"), (1280, "light")]
if "EVERY_LOOK" in os.environ:
    SCREENS = [*product((390, 1280), ("dark", "light"))]
LOOKS = [
    *(
        Look(["axeProblems", "operable", "faintFields"], width, media={"color_scheme": scheme})
        for width, scheme in SCREENS
    ),
    Look(["remember"]),
    Look(["vanished", "operable"], media={"forced_colors": "active"}),
    Look(["enlarged"], letters=32),
    Look(["enlarged"], width=640, letters=32),
    Look(["moving"], media={"reduced_motion": "reduce"}),
    Look(["sideways"], width=320),
]


def problems(page: Page) -> list[str]:
    """Return what is wrong with the page as it stands, a sentence each; none is good.

    It is looked at in every way without being loaded again, with all its details opened.
    """
    page.evaluate(AXE.read_text())
    page.evaluate(CHECKS.read_text())
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    page.keyboard.press("Tab")  # from here on, the focus is shown as to those who use keys
    if page.locator("[role=listbox]").count():
        page.keyboard.press("Shift+Tab")  # the list is open again
    debugger = page.context.new_cdp_session(page)
    found = [f"{look}: {what}" for look in LOOKS for what in _found(page, debugger, look)]
    debugger.detach()
    return found


def _found(page: Page, debugger: CDPSession, look: Look) -> list[str]:
    page.set_viewport_size({"width": look.width, "height": 800})
    page.emulate_media(**ORDINARY | look.media)
    # As set in the browser's own settings, which media queries follow as well.
    debugger.send("Page.setFontSizes", {"fontSizes": {"standard": look.letters}})
    return [what for check in look.checks for what in page.evaluate(f"checks.{check}()")]
