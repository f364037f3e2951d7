// What a page must keep that axe does not look at. Every function returns sentences; none is good.
"use strict";

{
const FIELDS = "input:not([type=hidden]):not([type=checkbox]):not([type=radio]), select, textarea";
const TARGETS = `a[href], button, summary, input[type=checkbox], input[type=radio], ${FIELDS}, [tabindex="0"]`;
const LEAST = 24; // CSS px, WCAG 2.5.8

const shown = (selector) => [...document.querySelectorAll(selector)].filter((element) =>
  element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length);
const name = (element) => {
  const text = element.textContent.trim().replace(/\s+/g, " ").slice(0, 40);
  const id = element.id && `#${element.id}`;
  return `${element.localName}${id}${[...element.classList].map((c) => `.${c}`).join("")} “${text}”`;
};
const say = (elements, what) => elements.map((element) => `${name(element)} ${what}`);

// --- Colours ---

const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
const isPaint = (colour) => !colour.startsWith("rgba") || channels(colour)[3] > 0;
function luminance(colour) {
  const [red, green, blue] = channels(colour).slice(0, 3).map((value) =>
    value / 255 <= 0.04045 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}
function groundOf(element) {
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (isPaint(colour)) return colour;
  }
  return "rgb(255, 255, 255)";
}

// --- Checks ---

// Nothing wider than the window, but in boxes that scroll by themselves.
function sideways() {
  const { scrollWidth, clientWidth } = document.documentElement;
  return scrollWidth > clientWidth ? [`the page is ${scrollWidth} px wide in ${clientWidth} px`] : [];
}

// Whoever has set letters twice as large gets them everywhere, and none are cut off.
const sizeOf = (element) => parseFloat(getComputedStyle(element).fontSize);
const hasText = (element) => [...element.childNodes]
  .some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
const isCut = (element) => !element.closest(".visually-hidden")
  && ["hidden", "clip"].includes(getComputedStyle(element).overflowX)
  && element.scrollWidth > element.clientWidth;
let sizes = new Map();
function enlarged() {
  const texts = [...sizes.keys()];
  const kept = texts.filter((element) => sizeOf(element) < 1.9 * sizes.get(element));
  return [...say(kept, "keeps its size"), ...say(texts.filter(isCut), "is cut off"), ...sideways()];
}

function moving() {
  const styles = shown("html, body, body *").flatMap((element) =>
    [null, "::before", "::after"].map((part) => [element, getComputedStyle(element, part)]));
  const moves = ([, style]) => style.animationName !== "none" || style.scrollBehavior === "smooth"
    || style.transitionDuration.split(",").some((each) => parseFloat(each) > 0);
  const running = document.getAnimations().map(() => "an animation is running");
  return [...say(styles.filter(moves).map(([element]) => element), "moves"), ...running];
}

const block = (element) =>
  getComputedStyle(element).display === "inline" ? block(element.parentElement) : element;
function isInSentence(element) {
  if (getComputedStyle(element).display !== "inline") return false;
  const around = block(element).cloneNode(true);
  around.querySelectorAll("a, .visually-hidden").forEach((link) => link.remove());
  return /[\p{L}\p{N}]/u.test(around.textContent);
}

// Whether a square of the least size around its middle takes no click: so labels and whole rows count.
function isTooSmall(element) {
  const place = ["checkbox", "radio"].includes(element.type) ? element.closest("label") ?? element : element;
  const { left, top, width, height } = place.getClientRects()[0];
  const reach = LEAST / 2 - 0.5;
  return [[-1, -1], [1, -1], [-1, 1], [1, 1]].some(([x, y]) => {
    const hit = document.elementFromPoint(left + width / 2 + x * reach, top + height / 2 + y * reach);
    return !(element.contains(hit) || hit?.closest("label")?.control === element);
  });
}

function focusProblem(element) {
  element.focus({ focusVisible: true });
  element.scrollIntoView({ block: "center" });
  const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(element);
  if (document.activeElement !== element) return "cannot take the focus";
  if (outlineStyle === "none" || parseFloat(outlineWidth) < 2) return "does not show the focus";
  const ratio = contrast(outlineColor, groundOf(element.parentElement));
  return ratio < 3 ? `shows the focus too weakly (${ratio.toFixed(1)} : 1)` : "";
}

function operable() {
  return shown(TARGETS).flatMap((element) => {
    const found = say(focusProblem(element) ? [element] : [], focusProblem(element));
    const small = !isInSentence(element) && isTooSmall(element);
    return small ? [...found, `${name(element)} is smaller than ${LEAST} × ${LEAST} px`] : found;
  });
}

// The border of a field is what shows it, so it has to stand out from what is around it.
function faintFields() {
  const isFaint = (field) => {
    const { borderTopColor, borderTopWidth } = getComputedStyle(field);
    return !parseFloat(borderTopWidth) || contrast(borderTopColor, groundOf(field.parentElement)) < 3;
  };
  return say(shown(FIELDS).filter(isFaint), "has too faint a border");
}

// --- Forced colours take away backgrounds and shadows ---

const isBare = (element) => !element.children.length && !element.textContent.trim()
  && !element.closest("svg") && !element.matches(`img, progress, br, hr, ${TARGETS}`);
const isPainted = (element) => {
  const { backgroundColor, borderTopStyle } = getComputedStyle(element);
  const stands = isPaint(backgroundColor) && backgroundColor !== groundOf(element.parentElement);
  return stands || borderTopStyle !== "none";
};
let painted = [];
function looksCurrent(element) {
  const other = [...element.parentElement.children].find((each) => !each.ariaCurrent && each !== element);
  const look = (each) => {
    const { fontWeight, textDecorationLine, borderBottomStyle } = getComputedStyle(each);
    return [fontWeight, textDecorationLine, borderBottomStyle].join();
  };
  return !other || other.localName !== element.localName || look(other) !== look(element);
}
function vanished() {
  const controls = shown(`button, .button, .notice, ${FIELDS}`);
  const open = controls.filter((each) => getComputedStyle(each).borderLeftStyle === "none");
  const current = shown("a[aria-current]").filter((element) => !looksCurrent(element));
  return [
    ...say(painted.filter((element) => !isPainted(element)), "vanishes"),
    ...say(open, "has no border left"),
    ...say(current, "does not show that it is the current one"),
  ];
}

// The page as it ordinarily is, for the checks that compare with it.
function remember() {
  const elements = shown("body *");
  painted = elements.filter((element) => isBare(element) && isPainted(element));
  const texts = elements.filter((element) => !element.closest("svg") && hasText(element));
  sizes = new Map(texts.map((element) => [element, sizeOf(element)]));
  return [];
}

async function axeProblems() {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const { violations } = await axe.run(document, {
    runOnly: tags, resultTypes: ["violations"], rules: { "target-size": { enabled: true } },
  });
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) =>
    `${id}: ${target.join(" ")}: ${failureSummary.replace(/\s+/g, " ")}`));
}

window.checks = {
  axeProblems, enlarged, faintFields, moving, operable, remember, sideways, vanished,
};
}
