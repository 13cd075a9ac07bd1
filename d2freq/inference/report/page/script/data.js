// What the page knows, what it shows at present, and small helpers. Names of files and classes are
// set as text, never as markup. Scores are marks, ten thousandths; the slider has hundredths.

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const truth = data.truth || null;
const FIELDS = 6; // of a box: x0, y0, x1, y1, class, mark
const ALARM = 0, HIT = 1, OTHER = 2, MISSED = 3, FLAGGED = 4;
const LEAST = Math.floor((data.least || 0) * 100 + 1e-9); // hundredths: the run kept none below
const PAGE = 60; // cards that are added at a time
const CLOSE = 5; // close-ups on a card
const KEPT = 40; // pictures whose pixels stay decoded
const COLOURS = { [HIT]: "#2ee672", [ALARM]: "#ffb31a", [OTHER]: "#b8c4d6", [MISSED]: "#ff4d6d",
  [FLAGGED]: "#7f8ea3" };
const WORDS = { [HIT]: "hit", [ALARM]: "false alarm", [OTHER]: truth ? "not judged" : "detection",
  [MISSED]: "missed", [FLAGGED]: "ignored" };
const CLASS_OF = { [HIT]: "hit", [ALARM]: "alarm", [OTHER]: "other", [MISSED]: "missed",
  [FLAGGED]: "other" };

const view = {
  step: Math.min(100, Math.max(LEAST, Math.floor(data.score * 100 + 1e-9))),
  classes: new Set(data.names.map((_, n) => n)),
  kinds: new Set([HIT, ALARM, OTHER, MISSED]),
  sort: "hardest", search: "", limit: PAGE,
};

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element) element[key] = value; else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}
function drawn(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}
const whole = (number) => number.toLocaleString("en");
const percent = (share) => share === null || Number.isNaN(share) ? "–" : (100 * share).toFixed(1);
const fine = (score) => score === null ? "–" : score.toFixed(3);
const hue = (kind, light = 62) => `hsl(${Math.round((kind * 137.508 + 205) % 360)} 90% ${light}%)`;
const plural = (number, one) => `${whole(number)} ${one}${number === 1 ? "" : "s"}`;
const sum = (list) => list.reduce((total, value) => total + value, 0);
