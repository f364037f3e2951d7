// The form's two boxes together: the button that says what it will do, and what HubSpot has of both.
"use strict";

const linkForm = document.querySelector(".link-form");
const submit = linkForm.querySelector(".primary");
const preview = document.getElementById("preview");
const further = document.getElementById("further");
const lines = further.querySelector("ul");
const pasted = document.getElementById("id_also");
const recordOf = (line) => line.querySelector("input").value;
const nameOf = (line) => line.querySelector(".record-name").textContent;
const words = ["nameless", "with-names", "with-many"].map((name) => submit.querySelector(`.${name}`));
submit.removeAttribute("name"); // from here on its words are kept true
// All that is in the button by now: while it says that it is at work, this is out of the page.
const counted = submit.querySelector("[data-count]");
const [fromNames, toNames] = ["from", "to"].map((side) => [...submit.querySelectorAll(`[data-name=${side}]`)]);

// What the button will send, each record once. It promises nothing of what is only typed or pasted.
const seconds = () => {
  const [from, to] = boxes;
  const isTyped = !to.isChosen && to.input.value.trim();
  if (!from.isChosen || isTyped || pasted.value.trim()) return new Map();
  const named = [...lines.children].map((line) => [recordOf(line), nameOf(line)]);
  if (to.isChosen) named.push([to.reference, to.name]);
  return new Map(named);
};

const callByNames = () => {
  const [from, to] = boxes;
  const names = seconds();
  words.forEach((each, index) => { each.hidden = index !== Math.min(names.size, 2); });
  for (const name of fromNames) name.textContent = from.name;
  for (const name of toNames) name.textContent = [...names.values()].at(-1) ?? "";
  counted.textContent = names.size;
  // "They" are no longer two; but what HubSpot would refuse of several is told.
  preview.hidden = lines.children.length > 0 && !preview.querySelector("[data-of-several]");
  further.hidden = !lines.children.length;
  another.hidden = !to.isChosen || lines.children.length + 1 >= Number(further.dataset.most);
};

const tell = () => {
  for (const box of boxes) box.answers.clear(); // what is meant depends on the other side, too
  callByNames();
  preview.textContent = "";
  htmx.trigger(preview, boxes.some((box) => box.isChosen) ? "known" : "htmx:abort");
};

const goOnFrom = (box) => {
  const other = boxes[1 - boxes.indexOf(box)];
  (other.isChosen || other.isWaiting ? submit : other.input).focus();
};

const swap = () => {
  const [one, other] = boxes.map((box) => box.state);
  [boxes[0].state, boxes[1].state] = [other, one];
  tell();
};

const swapFrom = (box) => {
  swap();
  goOnFrom(boxes[1 - boxes.indexOf(box)]); // there its record is now
};

// What was shown of a record goes with it into the log, wherever it stands by then.
const noteSeen = (seen) => {
  const known = [...linkForm.elements].some(({ name, value }) => name === "seen" && value === seen);
  if (!seen || known) return;
  const input = Object.assign(document.createElement("input"), { type: "hidden", name: "seen", value: seen });
  linkForm.append(input);
};

const sides = [...linkForm.querySelectorAll("[data-side]")];
const boxes = sides.map((root) => new Box(root, { tell, goOnFrom, swapFrom, noteSeen }));
const swapButton = linkForm.querySelector("[data-swap]");
swapButton.hidden = false;
swapButton.addEventListener("click", swap);
linkForm.addEventListener("input", callByNames);
// Asked once it is still: what comes then stands above the button, and must not move it at a click.
let pastedLast = 0;
pasted.addEventListener("input", () => {
  clearTimeout(pastedLast);
  pastedLast = setTimeout(() => {
    if (boxes[0].isChosen) htmx.trigger(preview, "known");
  }, 600);
});
preview.addEventListener("htmx:afterSettle", callByNames);
// What is still being typed may be another record in a moment.
preview.addEventListener("htmx:configRequest", ({ detail }) => {
  for (const box of boxes) if (!box.isChosen) detail.parameters[box.input.name] = "";
});

// Whoever must sign in first is sent on with all that stands in the fields by then, to be looked
// over: what the box had asked with is older, and may be half of it.
linkForm.addEventListener("htmx:beforeOnLoad", (event) => {
  if (!event.detail.xhr.getResponseHeader("HX-Redirect")) return;
  event.preventDefault();
  linkForm.requestSubmit(linkForm.elements.check);
});

// --- several on the second side -----------------------------------------------------------------

const another = linkForm.querySelector("[data-another]");
another.addEventListener("click", () => {
  const to = boxes[1];
  const [type] = to.fields;
  const line = further.querySelector("template").content.cloneNode(true).firstElementChild;
  line.querySelector(".record-name").textContent = to.name;
  line.querySelector(".record-id").textContent = to.label;
  line.querySelector("input").value = to.reference;
  line.querySelector("button span").textContent = ` ${to.name}`;
  line.querySelector("button").addEventListener("click", () => {
    line.remove();
    tell();
    (to.isChosen ? submit : to.input).focus();
  });
  for (const old of lines.children) if (recordOf(old) === to.reference) old.remove();
  lines.append(line);
  const said = document.getElementById("further-said");
  said.textContent = said.dataset.added.replace("{name}", () => to.name);
  to.clear(type);
});

// With the box left empty the last line is what its fields say.
linkForm.addEventListener("submit", () => {
  for (const box of boxes) box.settle(true);
  const [to, line] = [boxes[1], lines.lastElementChild];
  if (!line || to.input.value.trim()) return;
  to.fields = recordOf(line).split("/");
  line.remove();
});

// Enter that is still held down from choosing does not link as well.
submit.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.repeat) event.preventDefault();
});

// Only now the browser has filled in what it brings back by Back.
window.addEventListener("pageshow", () => {
  callByNames();
  for (const box of boxes) {
    box.isArriving = !box.box.querySelector(".field-error, .choices");
    if (box.isFocused) box.enter();
    if (box.isArriving) box.search();
  }
});
