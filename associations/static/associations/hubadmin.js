// Every page works without this file; it only makes some things quicker.
"use strict";

// What is shown of two records is gone once nobody can tell whether it is of those in the fields.
for (const failure of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.body.addEventListener(failure, (event) => {
    const { target } = event.detail;
    if (target?.dataset.failed) target.textContent = target.dataset.failed;
  });
}

// With this file the preview comes by itself.
for (const button of document.querySelectorAll("[data-without-script]")) button.hidden = true;

// A file that is too large is not even sent: the server would refuse it, and what was typed with it.
for (const input of document.querySelectorAll("input[data-max-bytes]")) {
  input.addEventListener("change", () => {
    const size = input.files[0]?.size ?? 0;
    const text = input.dataset.tooLarge.replace("{size}", `${(size / 1048576).toFixed(1)} MB`);
    input.setCustomValidity(size > Number(input.dataset.maxBytes) ? text : "");
    input.reportValidity();
  });
}

// A second click while the first is under way does nothing (the server would see to it as well).
const sendOnce = (form) => {
  const submit = form.querySelector("button:not([type=button])");
  const label = [...submit.childNodes];
  const ready = () => {
    submit.removeAttribute("aria-disabled");
    submit.replaceChildren(...label);
  };
  form.addEventListener("submit", (event) => {
    if (submit.getAttribute("aria-disabled") === "true") {
      event.preventDefault();
      return;
    }
    submit.setAttribute("aria-disabled", "true");
    submit.textContent = form.dataset.once;
    setTimeout(ready, 5000); // the person may have stopped it
  });
  // The browser may bring the page back as it was when one goes Back.
  window.addEventListener("pageshow", ready);
};
document.querySelectorAll("form[data-once]").forEach(sendOnce);
document.body.addEventListener("htmx:afterSettle", (event) => {
  event.detail.elt.querySelectorAll("form[data-once]").forEach(sendOnce);
});

// A page that the browser has kept, and shows again by Back, is of the person who left it; by now
// they may be signed out. It is kept unseen, and seen again once the server says that they are not.
const { person, signedIn } = document.body.dataset;
const kept = document.documentElement.classList;
const isStillIn = async () => {
  const answer = await fetch(signedIn, { redirect: "manual" });
  return answer.ok && (await answer.text()) === person;
};
if (person) {
  window.addEventListener("pagehide", () => kept.add("kept"));
  window.addEventListener("pageshow", async (event) => {
    if (event.persisted && !(await isStillIn().catch(() => false))) location.reload();
    else kept.remove("kept");
  });
}

// Tell the server in which time zone this browser is; it shows times and counts days in it.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const secure = location.protocol === "https:" ? "; secure" : "";
if (zone) document.cookie = `timezone=${zone}; path=/; max-age=31536000; samesite=lax${secure}`;

// Copy the text of another element.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = button.dataset.copied;
  });
}

// An entry is printed whole. Where style alone cannot unfold it, its details are open meanwhile.
if (!CSS.supports("selector(::details-content)")) {
  let unfolded = [];
  window.addEventListener("beforeprint", () => {
    unfolded = [...document.querySelectorAll(".entry-details, .entry-details details")];
    unfolded = unfolded.filter((each) => !each.open);
    for (const each of unfolded) each.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const each of unfolded) each.open = false;
  });
}

// Single keys for what carries `data-key`: listed at the foot of each page, and off until wanted.
const shortcuts = document.getElementById("shortcuts");
const keyed = [...document.querySelectorAll("[data-key]")];
if (shortcuts && keyed.length) {
  const choice = shortcuts.querySelector("input");
  const remembered = "single-keys";
  const show = () => {
    for (const element of keyed) {
      if (choice.checked) element.setAttribute("aria-keyshortcuts", element.dataset.key);
      else element.removeAttribute("aria-keyshortcuts");
    }
  };
  for (const element of keyed) {
    const key = document.createElement("kbd");
    const [row, term, text] = ["div", "dt", "dd"].map((name) => document.createElement(name));
    key.textContent = element.dataset.key;
    text.textContent = element.textContent.trim();
    term.append(key);
    row.append(term, text);
    shortcuts.querySelector("dl").append(row);
  }
  choice.checked = localStorage.getItem(remembered) === "on";
  choice.addEventListener("change", () => {
    localStorage.setItem(remembered, choice.checked ? "on" : "off");
    show();
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input:not([type=checkbox]), textarea, select");
    const isOurs = choice.checked && !isTyping && !event.isComposing;
    if (!isOurs || event.ctrlKey || event.metaKey || event.altKey) return;
    const element = keyed.find((each) => each.dataset.key === event.key);
    if (!element) return;
    event.preventDefault();
    element.click();
  });
  shortcuts.hidden = false;
  show();
}
