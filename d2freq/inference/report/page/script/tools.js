// The tools on top, and the start of it all.

function refresh() {
  $("score-value").textContent = (view.step / 100).toFixed(2);
  showCounts();
  charts();
  measured();
  gallery();
}
let waiting = 0;
function soon() {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(refresh);
}
function chip(text, pressed, mark, act) {
  const button = make("button", { type: "button", className: "chip" });
  button.setAttribute("aria-pressed", String(pressed));
  if (mark) button.append(mark);
  button.append(make("span", { textContent: text, title: text }));
  button.addEventListener("click", () => {
    act(button.getAttribute("aria-pressed") !== "true");
    soon();
  });
  return button;
}
function dot(colour, dashed, css = "") {
  const mark = make("i", { className: `dot ${dashed ? "dashed" : ""} ${css}` });
  if (colour) mark.style.color = colour;
  return mark;
}
function classChips() {
  const buttons = data.names.map((name, kind) => chip(name, view.classes.has(kind),
    truth ? null : dot(hue(kind)), (on) => {
      if (on) view.classes.add(kind); else view.classes.delete(kind);
      buttons[kind].setAttribute("aria-pressed", String(on));
    }));
  const all = (on) => {
    view.classes = new Set(on ? data.names.map((_, n) => n) : []);
    for (const button of buttons) button.setAttribute("aria-pressed", String(on));
    soon();
  };
  const every = make("button", { type: "button", className: "chip", textContent: "all" });
  const none = make("button", { type: "button", className: "chip", textContent: "none" });
  every.addEventListener("click", () => all(true));
  none.addEventListener("click", () => all(false));
  $("classes").append(...(data.names.length > 1 ? [every, none] : []), ...buttons);
}
function kindChips() {
  $("kinds").hidden = !truth;
  for (const kind of truth ? [HIT, ALARM, MISSED, OTHER] : []) {
    const button = chip(WORDS[kind], true, dot("", kind === MISSED, CLASS_OF[kind]), (on) => {
      if (on) view.kinds.add(kind); else view.kinds.delete(kind);
      button.setAttribute("aria-pressed", String(on));
    });
    $("kinds").append(button);
  }
}
function notes() {
  const left = data.searched - pictures.length, texts = [];
  const bare = pictures.filter((p) => !p.shown_width).length;
  const scaled = pictures.filter((p) => p.shown_width && p.shown_width < p.width).length;
  if (left) texts.push(`${plural(left, "picture")} of ${whole(data.searched)} not shown, to bound the size of this ` +
    `file: those with ${truth ? "fewest misses and false alarms" : "fewest detections"}. All figures count them.`);
  if (bare) texts.push(`${plural(bare, "picture")} shown without pixels.`);
  if (scaled) texts.push(`${plural(scaled, "picture")} scaled down to bound the size of this file; ` +
    "around objects they are sharp as far as there was room.");
  if (LEAST) texts.push(`The run kept what scores ${(LEAST / 100).toFixed(2)} or more: the slider begins there.`);
  for (const [name, why] of data.failures) texts.push(`${name} was not searched: ${why}`);
  $("notes").replaceChildren(...texts.map((text) => make("li", { textContent: text })));
}
function key() {
  const parts = truth ? [[HIT, "hit"], [ALARM, "false alarm"], [MISSED, "missed object"],
    [OTHER, "not judged, or ignored"]].map(([kind, text]) =>
    make("span", {}, dot("", kind === MISSED, CLASS_OF[kind]), text))
    : [make("span", { textContent: "A colour for each class." })];
  parts.push(make("span", { textContent: "Below each picture its objects from near; click to look closer." }));
  $("key").replaceChildren(...parts);
}
document.title = data.title;
$("title").textContent = data.title;
$("about").textContent = `${plural(data.searched, "picture")}, ${plural(data.names.length, "class").replace("classs", "classes")}` +
  (truth ? `, judged by protocol ${data.protocol} at IoU ${truth.iou}` : ", without ground truth");
$("truth").hidden = !truth;
$("sort").append(...Object.entries(SORTS).map(([value, [text]]) => make("option", { value, textContent: text })));
$("score").min = LEAST;
$("score").value = view.step;
$("score").addEventListener("input", () => { view.step = Number($("score").value); soon(); });
$("sort").addEventListener("change", () => { view.sort = $("sort").value; view.limit = PAGE; soon(); });
$("search").addEventListener("input", () => { view.search = $("search").value; view.limit = PAGE; soon(); });
$("tools").addEventListener("submit", (event) => event.preventDefault());
$("more").addEventListener("click", () => { view.limit += PAGE; soon(); });
window.addEventListener("resize", () => { soon(); requestAnimationFrame(paint); });
if (truth && truth.curves[0].best[0] !== null) {
  const [score, , , f1] = truth.curves[0].best;
  const button = make("button", { type: "button", textContent: `best F1 ${percent(f1)} at ${fine(score)}` });
  button.addEventListener("click", () => {
    view.step = Math.max(LEAST, Math.floor(score * 100 + 1e-9));
    $("score").value = view.step;
    soon();
  });
  $("best").append(button);
}
classChips();
kindChips();
key();
notes();
refresh();
