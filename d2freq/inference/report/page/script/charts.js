// Counts and histograms, over all pictures.

function totals() {
  const out = { detections: 0, hits: 0, alarms: 0, other: 0 };
  for (const [kind, step, , hits, alarms, other] of data.counts) {
    if (step < view.step || !view.classes.has(kind)) continue;
    out.hits += hits; out.alarms += alarms; out.other += other;
  }
  out.detections = out.hits + out.alarms + out.other;
  if (truth) {
    out.objects = sum([...view.classes].map((kind) => truth.curves[kind + 1].objects));
    Object.assign(out, shares(out.hits, out.alarms, out.objects));
  }
  return out;
}
function shares(hits, alarms, objects) {
  return { missed: objects - hits, precision: hits + alarms ? hits / (hits + alarms) : NaN,
    recall: objects ? hits / objects : NaN,
    f1: objects ? 2 * hits / (hits + alarms + objects) : NaN };
}
function showCounts() {
  const t = totals();
  const rows = [["pictures", whole(data.searched)], ["detections", whole(t.detections)]];
  if (truth) {
    rows.push(["objects", whole(t.objects)], ["hits", whole(t.hits), "hit"],
      ["false alarms", whole(t.alarms), "alarm"], ["missed", whole(t.missed), "missed"],
      ["precision", percent(t.precision)], ["recall", percent(t.recall)], ["F1", percent(t.f1)]);
  } else rows.push(["per picture", data.searched ? (t.detections / data.searched).toFixed(1) : "–"]);
  $("counts").replaceChildren(...rows.map(([name, value, kind = ""]) => make("div", {},
    make("dt", { textContent: name }), make("dd", { textContent: value, className: kind }))));
}

const WIDTH = 420, HEIGHT = 214, LEFT = 40, BOTTOM = 40, TOP = 10, RIGHT = 8;
const INNER = WIDTH - LEFT - RIGHT, DEEP = HEIGHT - TOP - BOTTOM;
const short = (number) => number.toLocaleString("en", { notation: "compact" }); // fits beside an axis
function frame(name, across, top, ticks) {
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": name });
  svg.append(drawn("path", { class: "axis", d: `M${LEFT} ${TOP}V${TOP + DEEP}H${WIDTH - RIGHT}` }));
  const words = (x, y, text, anchor) => {
    const element = drawn("text", { x, y, "text-anchor": anchor });
    element.textContent = text;
    svg.append(element);
  };
  words(LEFT - 5, TOP + 9, top, "end");
  words(LEFT - 5, TOP + DEEP, "0", "end");
  for (const [place, text] of ticks) words(LEFT + place * INNER, HEIGHT - 25, text, "middle");
  words(LEFT + INNER / 2, HEIGHT - 8, across, "middle");
  return svg;
}
function panel(title, content, note = "") {
  const box = make("div", { className: "panel" }, make("h3", { textContent: title }), content);
  if (note) box.append(make("p", { textContent: note }));
  return box;
}
// stacks: a list for each bar of [number, css colour, opacity]
function bars(name, across, stacks, ticks, titles) {
  const most = Math.max(1, ...stacks.map((stack) => sum(stack.map(([number]) => number))));
  const svg = frame(name, across, short(most), ticks), width = INNER / stacks.length;
  stacks.forEach((stack, n) => {
    const group = drawn("g");
    let y = TOP + DEEP;
    for (const [number, fill, opacity] of stack) {
      const height = number ? Math.max(number / most * DEEP, 1) : 0;
      y -= height;
      if (number) group.append(drawn("rect", { x: LEFT + n * width + .5, y, height, opacity,
        width: Math.max(width - 1, 1), fill: `var(--${fill})` }));
    }
    const title = drawn("title");
    title.textContent = `${titles[n]}: ${stack.map(([number]) => whole(number)).join(" + ")}`;
    group.append(title);
    svg.append(group);
  });
  return svg;
}
function charts() {
  const scores = Array.from({ length: 50 }, () => [0, 0, 0]);
  const sizes = data.sizes.map(() => [0, 0, 0]), objects = data.sizes.map(() => [0, 0]);
  for (const [kind, step, size, ...numbers] of data.counts) {
    if (!view.classes.has(kind) || step < 0) continue;
    const bin = scores[Math.min(49, Math.floor(step / 2))];
    numbers.forEach((number, n) => { bin[n] += number; });
    if (step >= view.step) numbers.forEach((number, n) => { sizes[size][n] += number; });
  }
  for (const [kind, step, size, number] of truth ? truth.objects : []) {
    if (view.classes.has(kind)) objects[size][step >= view.step ? 0 : 1] += number;
  }
  const colours = truth ? ["hit", "alarm", "other"] : ["hit", "alarm", "accent"];
  const stack = (numbers, faint) => numbers.map((number, n) => [number, colours[n], faint ? .3 : 1]);
  // the classes of sizes that hold something, and one more on either side
  const filled = data.sizes.map((_, n) => n).filter((n) => sum(sizes[n]) + sum(objects[n]));
  const firstSize = Math.max(0, (filled[0] ?? 3) - 1);
  const sizeBins = data.sizes.map((_, n) => n).slice(firstSize, (filled.pop() ?? 8) + 2);
  const sizeTicks = sizeBins.map((size, n) => [n / sizeBins.length, String(data.sizes[size])]);
  const sizeTitles = sizeBins.map((n) => n + 1 < data.sizes.length
    ? `${data.sizes[n]} to ${data.sizes[n + 1]} px` : `${data.sizes[n]} px and more`);
  const tenths = [0, .2, .4, .6, .8, 1].map((value) => [value, String(value)]);
  const first = bars("histogram of scores", "score",
    scores.map((numbers, n) => stack(numbers, 2 * n < view.step)), tenths,
    scores.map((_, n) => `score ${(n / 50).toFixed(2)}`));
  const x = LEFT + view.step / 100 * INNER;
  first.append(drawn("path", { class: "mark", d: `M${x} ${TOP}V${TOP + DEEP}` }));
  const how = truth ? "hits, false alarms, and what is not judged" : "";
  const parts = [panel("Detections by score", first, how),
    panel("Detections by size", bars("histogram of sizes", "√(width × height), px",
      sizeBins.map((n) => stack(sizes[n])), sizeTicks, sizeTitles), "from the chosen score on")];
  if (truth) parts.push(panel("Objects by size", bars("objects by size, found and missed",
    "√(width × height), px", sizeBins.map((n) => objects[n]).map(([found, missed]) =>
      [[found, "hit", 1], [missed, "missed", 1]]), sizeTicks, sizeTitles), "found, and missed above"));
  $("charts").replaceChildren(...parts);
}
