// A box of the form: a combobox with a list, as the ARIA Authoring Practices describe one. What is
// found comes from the server as HTML. Without script the form finds records by a button.
"use strict";

const PAUSE_MS = 300; // nothing is asked for while somebody is still typing

// While a button is held down nothing may move it from under the pointer: the click would be lost.
let isHeld = false;
const onRelease = new Set();
addEventListener("pointerdown", () => { isHeld = true; }, true);
for (const end of ["pointerup", "pointercancel"]) {
  // The click comes first.
  addEventListener(end, () => setTimeout(() => {
    isHeld = false;
    for (const box of onRelease) box.settle();
    onRelease.clear();
  }), true);
}

class Box {
  // `form` is told of changes, and knows where the focus goes on: see link.js.
  constructor(root, form) {
    const { side } = root.dataset;
    const part = (name) => document.getElementById(`${side}-${name}`);
    [this.found, this.card, this.body, this.said] = ["found", "card", "card-body", "said"].map(part);
    this.input = document.getElementById(`id_${side}_object_id`);
    this.type = document.getElementById(`id_${side}_object_type`);
    this.box = root.querySelector(".box");
    this.form = form;
    this.answers = new Map(); // what was found for a text is not asked for again
    this.typed = this.fields; // what "change" gives back
    const combobox = { role: "combobox", "aria-autocomplete": "list", "aria-controls": `${side}-list` };
    for (const [name, value] of Object.entries(combobox)) this.input.setAttribute(name, value);
    this.listen(root.querySelector("[data-change]"));
    this.put(!this.card.hidden);
    this.close();
  }

  listen(change) {
    const { input, found } = this;
    input.addEventListener("focus", () => this.enter());
    input.addEventListener("blur", () => this.leave());
    input.addEventListener("click", () => this.open());
    input.addEventListener("keydown", (event) => this.press(event));
    input.addEventListener("compositionstart", () => this.forget());
    input.addEventListener("compositionend", () => this.change());
    input.addEventListener("input", (event) => {
      if (!event.isComposing) this.change(/^insertFrom(Paste|Drop)/.test(event.inputType));
    });
    this.type.addEventListener("change", () => {
      this.outdate();
      this.search();
    });
    this.type.addEventListener("blur", ({ relatedTarget }) => {
      if (relatedTarget !== input && !this.isWaiting) this.choose(this.exact);
    });
    found.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays
    found.addEventListener("click", (event) => this.choose(event.target.closest("[role=option]")));
    found.addEventListener("htmx:afterSwap", () => this.answer());
    for (const failure of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
      found.addEventListener(failure, () => this.show(found.dataset.failed));
    }
    change.hidden = false;
    change.addEventListener("click", () => this.giveBack());
  }

  get fields() { return [this.type.value, this.input.value]; }
  set fields([type, text]) {
    const isOffered = [...this.type.options].some((option) => option.value === type);
    if (!isOffered) this.type.add(new Option(type, type));
    [this.type.value, this.input.value] = [type, text];
  }
  get key() { return `${this.type.value} ${this.input.value.trim()}`; }
  get options() { return [...this.found.querySelectorAll("[role=option]")]; }
  get exact() { return this.found.querySelector("[data-exact]"); }
  get active() { return this.found.querySelector("[aria-selected=true]"); }
  get isOpen() { return this.found.classList.contains("is-open"); }
  get isChosen() { return !this.card.hidden; }
  get isFocused() { return document.activeElement === this.input; }
  get isAttended() { return this.isFocused || document.activeElement === this.type; }
  get isWaiting() { return Boolean(this.timer || this.asked); }
  get reference() { return this.fields.join("/"); }
  get label() { return this.body.querySelector(".record-id")?.textContent.trim() ?? ""; }
  get name() { return this.body.querySelector(".record-name")?.textContent.trim() ?? ""; }

  // --- what is found --------------------------------------------------------------------------

  forget() {
    this.show("");
    this.takes = this.isArriving = false;
    htmx.trigger(this.found, "htmx:abort");
  }

  // What the page came with was told of another text, or of another type.
  outdate() {
    for (const old of this.box.querySelectorAll(".choices, .field-error, .box > .note")) old.remove();
    this.input.removeAttribute("aria-invalid");
  }

  change(isPasted = false) {
    this.forget();
    this.outdate();
    this.takes = isPasted; // of what is typed a longer text may be under way
    if (this.input.value.trim()) this.timer = setTimeout(() => this.search(), isPasted ? 0 : PAUSE_MS);
  }

  search(isDemanded = false) {
    clearTimeout(this.timer);
    this.timer = null;
    const isEmpty = !this.input.value.trim();
    if (this.isChosen || this.asked === this.key || (isEmpty && !isDemanded)) return;
    this.asked = this.key;
    if (!this.answers.has(this.key)) return htmx.trigger(this.found, "find");
    this.found.innerHTML = this.answers.get(this.key);
    this.answer();
  }

  answer() {
    const { asked } = this;
    this.asked = null;
    if (asked !== this.key) return this.show("");
    if (this.options.length) this.answers.set(asked, this.found.innerHTML);
    const { exact } = this;
    // While somebody goes through the types, the first that fits need not be the one they want.
    if (exact && (this.takes || !this.isAttended)) return this.choose(exact);
    this.takes = false;
    this.found.hidden = false;
    this.say(this.found.querySelector(".note").textContent);
    // On arrival the box that is wrong takes the focus, if nothing else has it.
    if (this.isArriving && document.activeElement === document.body) this.input.focus();
    if (this.isFocused) this.open(exact);
  }

  show(text) {
    clearTimeout(this.timer);
    this.timer = this.asked = null;
    this.close();
    this.found.textContent = text;
    this.found.hidden = !text;
    this.say(text);
  }

  say(text) { this.said.textContent = text.trim().replace(/\s+/g, " "); }

  // --- the list -------------------------------------------------------------------------------

  open(option = null) {
    if (!this.options.length) return;
    this.found.hidden = false;
    this.found.classList.add("is-open");
    this.input.setAttribute("aria-expanded", "true");
    this.activate(option);
  }

  close() {
    this.activate(null);
    this.found.classList.remove("is-open");
    this.input.setAttribute("aria-expanded", "false");
  }

  dismiss() {
    this.close();
    this.found.hidden = true; // what it says of Enter and Tab is not so any more
  }

  activate(option) {
    this.active?.setAttribute("aria-selected", "false");
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.input.setAttribute("aria-activedescendant", option.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  move(step) {
    const { options, active } = this;
    const at = active ? options.indexOf(active) + step : Math.min(step, 0);
    this.open(options.at(at % options.length));
  }

  press(event) {
    if (event.isComposing || event.ctrlKey || event.metaKey) return;
    const { active, isOpen } = this;
    const isDown = event.key === "ArrowDown";
    if (isDown || event.key === "ArrowUp") {
      event.preventDefault();
      if (!event.altKey) this.move(isDown ? 1 : -1);
      else if (isDown) this.open(active);
      else this.close();
    } else if (event.key === "Enter") {
      event.preventDefault(); // half a pair is not sent
      if (active) return this.choose(active);
      this.search(true);
      this.takes = Boolean(this.asked);
    } else if (event.key === "Escape" && (isOpen || this.before)) {
      event.preventDefault();
      if (isOpen) this.dismiss();
      else this.bringBack();
    } else if (event.key === "Tab" && !event.shiftKey && (active || this.isWaiting)) {
      event.preventDefault(); // on to where choosing leads; Shift+Tab leads to what is left out
      if (active) this.choose(active);
      else this.form.goOnFrom(this);
    } else if (["Home", "End", "ArrowLeft", "ArrowRight"].includes(event.key)) {
      this.activate(null); // they move the caret
    }
  }

  // The browser's own list would cover ours; but only with it Back brings back what was typed.
  enter() {
    if (document.readyState === "complete") this.input.setAttribute("autocomplete", "off");
    if (this.isArriving) this.input.select(); // it came back to be corrected
    this.open(this.exact);
  }

  leave() {
    this.input.removeAttribute("autocomplete");
    if (this.isOpen && this.active?.matches("[data-exact]")) return this.choose(this.active);
    this.close();
    if (this.timer) this.search();
  }

  // --- the card -------------------------------------------------------------------------------

  choose(option) {
    if (!option) return;
    this.pending = option;
    if (isHeld) onRelease.add(this);
    else this.settle();
  }

  // What was chosen meanwhile; and what leaving the box would choose, if it is sent right now.
  settle(isSent = false) {
    const { pending, active } = this;
    this.pending = null;
    if (pending) this.take(pending);
    else if (isSent && this.isOpen && active?.matches("[data-exact]")) this.take(active);
  }

  take(option) {
    const { narrow, type, id, seen } = option.dataset;
    if (narrow) return this.narrow(narrow);
    if ("toOtherSide" in option.dataset) {
      this.take(this.options[0]);
      return this.form.swapFrom(this);
    }
    const wasFocused = this.isFocused;
    this.typed = this.fields;
    this.fields = [type, id];
    this.form.noteSeen(seen);
    this.body.replaceChildren(...[...option.childNodes].map((node) => node.cloneNode(true)));
    this.forget();
    this.put(true);
    this.say(this.body.textContent);
    if (wasFocused) this.form.goOnFrom(this);
    this.form.tell();
  }

  // A type that the text names would go before the one that is chosen beside it.
  narrow(type) {
    const [, named, rest] = this.input.value.match(/^([^:：]*)[:：](.*)/) ?? [];
    const names = [...this.type.options].flatMap(({ value, text }) => [value, text.toLowerCase()]);
    const isType = named && names.includes(named.trim().toLowerCase());
    this.fields = [type, isType ? rest.trim() : this.input.value];
    this.search();
  }

  put(isChosen) {
    if (isChosen) this.before = null;
    this.card.hidden = !isChosen;
    this.box.hidden = this.type.hidden = isChosen;
  }

  giveBack() {
    this.before = this.state;
    this.put(false);
    this.fields = this.typed;
    this.input.focus();
    this.search();
    this.form.tell();
  }

  bringBack() {
    this.state = this.before;
    this.form.goOnFrom(this);
    this.form.tell();
  }

  clear(type) {
    this.before = null;
    this.put(false);
    this.fields = this.typed = [type, ""];
    this.forget();
    this.input.focus();
    this.form.tell();
  }

  get state() { return [this.fields, this.typed, this.isChosen, [...this.body.childNodes]]; }
  set state([fields, typed, isChosen, nodes]) {
    this.forget();
    [this.fields, this.typed] = [fields, typed];
    this.body.replaceChildren(...nodes);
    this.put(isChosen);
    this.search();
  }
}
