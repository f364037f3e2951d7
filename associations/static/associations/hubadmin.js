// Every page works without this file; it only makes some things quicker.
"use strict";

// Exchange what stands in the two sides of the form.
for (const button of document.querySelectorAll("[data-swap]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const { elements } = button.form;
    for (const part of ["object_type", "object_id"]) {
      const from = elements[`from_${part}`];
      const to = elements[`to_${part}`];
      [from.value, to.value] = [to.value, from.value];
    }
  });
}

// A second click while the first is under way does nothing (the server would see to it as well).
for (const form of document.querySelectorAll("form[data-once]")) {
  const submit = form.querySelector("button.primary");
  const label = submit.textContent;
  const ready = () => {
    submit.removeAttribute("aria-disabled");
    submit.textContent = label;
  };
  form.addEventListener("submit", (event) => {
    if (submit.getAttribute("aria-disabled") === "true") {
      event.preventDefault();
      return;
    }
    submit.setAttribute("aria-disabled", "true");
    submit.textContent = "Linking …";
    setTimeout(ready, 5000); // the person may have stopped it
  });
  // The browser may bring the page back as it was when one goes Back.
  window.addEventListener("pageshow", ready);
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
    button.textContent = "Copied";
  });
}
