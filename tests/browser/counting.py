"""Somebody at a page who counts keys, clicks and taps there, and how long they wait for it."""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from playwright.sync_api import Error as PageError
from playwright.sync_api import Page

TYPING_MS = 40  # from one letter to the next
LOOK_SECONDS = 0.01

# The page counts by itself what people do, and keeps it from one page to the next. Letters are the
# words that have to be typed anyhow, and so is all that an input method takes until it is done.
COUNT = """
{
  const none = { keys: [], clicks: 0, taps: 0 };
  const modifiers = ["Control", "Shift", "Alt", "Meta"];
  const note = (event, change) => {
    if (!event.isTrusted) return;
    const counted = JSON.parse(sessionStorage.counted ?? JSON.stringify(none));
    change(counted);
    sessionStorage.counted = JSON.stringify(counted);
  };
  addEventListener("keydown", (event) => note(event, (counted) => {
    const isWord = event.key.length === 1 && !(event.ctrlKey || event.metaKey || event.altKey);
    if (isWord || event.isComposing || event.key === "Process" || modifiers.includes(event.key)) {
      return;
    }
    counted.keys.push(event.ctrlKey ? `Ctrl+${event.key}` : event.key);
  }), true);
  addEventListener("click", (event) => note(event, (counted) => {
    if (event.detail === 0) return;  // made by a key, which is counted
    counted[event.pointerType === "touch" ? "taps" : "clicks"] += 1;
  }), true);
}
"""


class Counting:
    """One person; `keys` are those beside the words."""

    def __init__(self, page: Page) -> None:
        self.page, self.waits = page, list[float]()
        page.add_init_script(COUNT)

    def begin(self) -> None:
        """Count from here on."""
        self.page.evaluate("sessionStorage.removeItem('counted')")
        self.waits.clear()

    @property
    def waited(self) -> float:
        """Seconds, since they were counted."""
        return sum(self.waits)

    def type(self, text: str) -> None:
        self.page.keyboard.type(text, delay=TYPING_MS)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def wait(self, condition: str, seconds: float = 10) -> None:
        """Wait until something is so on the page, which is an expression in its language."""
        start = time.monotonic()
        while not self._is_so(condition):
            if time.monotonic() > start + seconds:
                told = " ".join(self.page.locator("main").inner_text().split())
                raise AssertionError(f"not so after {seconds} s: {condition}\n{told[:500]}")
            time.sleep(LOOK_SECONDS)
        self.waits.append(time.monotonic() - start)

    def _is_so(self, condition: str) -> bool:
        # The page's policy lets nobody wait in it; and meanwhile it may be another one.
        with suppress(PageError):
            return bool(self.page.evaluate(condition))
        return False

    @property
    def keys(self) -> Sequence[str]:
        return self._counted["keys"]

    @property
    def clicks(self) -> int:
        return self._counted["clicks"]

    @property
    def taps(self) -> int:
        return self._counted["taps"]

    @property
    def _counted(self) -> dict[str, Any]:
        found = self.page.evaluate("JSON.parse(sessionStorage.counted ?? 'null')")
        return found or {"keys": [], "clicks": 0, "taps": 0}
