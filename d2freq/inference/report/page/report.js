"use strict";
// One page, no network: what is shown comes from the JSON elements above. Names of files and classes
// are set as text, never as markup. Scores are marks, ten thousandths; the slider has hundredths.
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const truth = data.truth || null;
  const FIELDS = 6; // of a box: x0, y0, x1, y1, class, mark
  const ALARM = 0, HIT = 1, OTHER = 2, MISSED = 3, FLAGGED = 4;
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
    step: Math.min(100, Math.max(0, Math.floor(data.score * 100 + 1e-9))),
    classes: new Set(data.names.map((_, n) => n)),
    kinds: new Set([HIT, ALARM, OTHER, MISSED]),
    sort: "hardest", search: "", limit: PAGE,
  };

  // ---- small helpers
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

  // ---- what a picture holds under the present filters
  function items(picture) {
    const found = [], least = view.step * 100, boxes = picture.boxes, objects = picture.objects;
    for (let n = 0, at = 0; at < boxes.length; n++, at += FIELDS) {
      if (boxes[at + 5] < least || !view.classes.has(boxes[at + 4])) continue;
      found.push({ box: boxes, at, what: Number(picture.state[n]) });
    }
    for (let n = 0, at = 0; at < objects.length; n++, at += FIELDS) {
      if (!view.classes.has(objects[at + 4])) continue;
      if (picture.counted[n] === "0") found.push({ box: objects, at, what: FLAGGED });
      else if (objects[at + 5] < least) found.push({ box: objects, at, what: MISSED });
    }
    return found;
  }
  function tally(picture) {
    const counts = [0, 0, 0, 0, 0], sizes = [];
    let unsure = 0;
    for (const item of items(picture)) {
      counts[item.what]++;
      sizes.push(sizeOf(item));
    }
    for (let at = 0; at < picture.boxes.length; at += FIELDS) {
      const far = Math.abs(picture.boxes[at + 5] - view.step * 100);
      if (far < 1500 && view.classes.has(picture.boxes[at + 4])) unsure++;
    }
    return { hits: counts[HIT], alarms: counts[ALARM], missed: counts[MISSED],
      detections: counts[HIT] + counts[ALARM] + counts[OTHER], unsure,
      smallest: sizes.length ? Math.min(...sizes) : Infinity };
  }
  function sizeOf({ box, at }) {
    return Math.sqrt(Math.max(0, box[at + 2] - box[at]) * Math.max(0, box[at + 3] - box[at + 1]));
  }
  const scoreOf = ({ box, at }) => box[at + 5] < 0 ? null : box[at + 5] / 1e4;
  const RANK = { [MISSED]: 0, [ALARM]: 1, [HIT]: 2, [OTHER]: 2, [FLAGGED]: 3 };
  function byWeight(one, other) {
    return RANK[one.what] - RANK[other.what] || other.box[other.at + 5] - one.box[one.at + 5];
  }

  // ---- orders
  const SORTS = truth ? {
    hardest: ["hardest: misses and false alarms", (p) => -(p.tally.missed + p.tally.alarms)],
    densest: ["densest: most detections", (p) => -p.tally.detections],
    missed: ["most misses", (p) => -p.tally.missed],
    alarms: ["most false alarms", (p) => -p.tally.alarms],
    smallest: ["smallest objects", (p) => p.tally.smallest],
    name: ["file name", () => 0],
  } : {
    hardest: ["hardest: most scores near the threshold", (p) => -p.tally.unsure],
    densest: ["densest: most detections", (p) => -p.tally.detections],
    smallest: ["smallest objects", (p) => p.tally.smallest],
    name: ["file name", () => 0],
  };

  // ---- pixels, decoded when they are first needed
  const loaded = new Map();
  function load(picture) {
    const known = loaded.get(picture.id);
    if (known) {
      loaded.delete(picture.id);
      loaded.set(picture.id, known);
      return known;
    }
    const source = $(`pixels-${picture.id}`);
    const texts = source ? JSON.parse(source.textContent) : [];
    const promise = Promise.all(texts.map(async (text) => {
      const image = new Image();
      image.src = `data:image/jpeg;base64,${text}`;
      await image.decode();
      return image;
    })).then(([image, ...sharp]) => ({ image, sharp }));
    loaded.set(picture.id, promise);
    if (loaded.size > KEPT) loaded.delete(loaded.keys().next().value);
    return promise;
  }

  // ---- drawing: x, y in the picture lie at ((x - look.x) * look.zoom, (y - look.y) * look.zoom)
  function prepare(canvas) {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    return ratio;
  }
  function wholeLook(canvas, picture) {
    const zoom = Math.min(canvas.width / picture.width, canvas.height / picture.height);
    return { zoom, x: (picture.width - canvas.width / zoom) / 2,
      y: (picture.height - canvas.height / zoom) / 2 };
  }
  // around (x, y), but not beyond the picture where that can be
  function lookAt(canvas, picture, zoom, x, y) {
    const start = (centre, shown, length) => shown >= length ? (length - shown) / 2
      : Math.max(0, Math.min(centre - shown / 2, length - shown));
    return { zoom, x: start(x, canvas.width / zoom, picture.width),
      y: start(y, canvas.height / zoom, picture.height) };
  }
  function draw(canvas, picture, pixels, look, { ratio, labels = false, chosen = null, only = null }) {
    const pen = canvas.getContext("2d"), { zoom, x, y } = look;
    pen.fillStyle = "#0b0e13";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    const place = (x0, y0, x1, y1) =>
      [(x0 - x) * zoom, (y0 - y) * zoom, (x1 - x0) * zoom, (y1 - y0) * zoom];
    if (pixels.image) {
      pen.imageSmoothingEnabled = zoom * picture.width / pixels.image.naturalWidth < 3;
      pen.drawImage(pixels.image, ...place(0, 0, picture.width, picture.height));
      pen.imageSmoothingEnabled = zoom < 3;
      pixels.sharp.forEach((image, n) => pen.drawImage(image, ...place(...picture.windows[n])));
    } else {
      pen.fillStyle = "#1d2430";
      pen.fillRect(...place(0, 0, picture.width, picture.height));
    }
    const list = only ? [only] : items(picture).filter((item) =>
      view.kinds.has(item.what) || (item.what === FLAGGED && view.kinds.has(OTHER)));
    const thin = (list.length > 400 && !labels ? 1 : 1.5) * ratio, least = 5 * ratio;
    for (const item of list.sort((one, other) => byWeight(other, one))) {
      let [left, top, width, height] = place(...item.box.slice(item.at, item.at + 4));
      if (left > canvas.width || top > canvas.height || left + width < 0 || top + height < 0) continue;
      // around the object, not on it, and never too small to be seen
      const grow = [Math.max(thin, (least - width) / 2), Math.max(thin, (least - height) / 2)];
      left -= grow[0]; top -= grow[1]; width += 2 * grow[0]; height += 2 * grow[1];
      const kind = item.box[item.at + 4];
      pen.strokeStyle = !truth ? hue(kind) : COLOURS[item.what];
      pen.lineWidth = item === chosen || sameItem(item, chosen) ? 3 * ratio : thin;
      pen.setLineDash(item.what === MISSED || item.what === FLAGGED ? [4 * ratio, 3 * ratio] : []);
      pen.strokeRect(left, top, width, height);
      if (labels && (width > 34 * ratio || sameItem(item, chosen))) label(pen, item, left, top, ratio);
    }
    pen.setLineDash([]);
  }
  const sameItem = (one, other) => other && one.box === other.box && one.at === other.at;
  function label(pen, item, left, top, ratio) {
    const score = item.what === MISSED ? null : scoreOf(item);
    const text = data.names[item.box[item.at + 4]] + (score === null ? "" : ` ${score.toFixed(2)}`);
    pen.font = `${12 * ratio}px system-ui, sans-serif`;
    const width = pen.measureText(text).width + 6 * ratio;
    pen.fillStyle = "rgba(5, 8, 14, .72)";
    const x = Math.max(0, left), y = Math.max(17 * ratio, top);
    pen.fillRect(x, y - 17 * ratio, width, 16 * ratio);
    pen.fillStyle = pen.strokeStyle;
    pen.fillText(text, x + 3 * ratio, y - 5 * ratio);
  }

  // ---- cards
  const pictures = data.pictures.map((picture, id) => ({ ...picture, id }));
  const cards = new Map();
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const card = cards.get(Number(entry.target.dataset.id));
      card.visible = entry.isIntersecting;
      if (card.visible && card.stale) drawCard(card);
    }
  }, { rootMargin: "400px" });
  function cardOf(picture) {
    if (cards.has(picture.id)) return cards.get(picture.id);
    const canvas = make("canvas", { className: "picture" });
    const near = make("span", { className: "near" });
    const counts = make("span", { className: "soft" });
    const text = make("span", { className: "text" },
      make("span", { className: "name", textContent: picture.name }), counts);
    const button = make("button", { type: "button", className: "card" }, canvas, near, text);
    const row = make("li", {}, button);
    row.dataset.id = picture.id;
    button.addEventListener("click", () => open(picture));
    const card = { picture, row, canvas, near, counts, button, stale: true, visible: false };
    cards.set(picture.id, card);
    return card;
  }
  function describe(picture) {
    const t = picture.tally, parts = [];
    const add = (number, word, kind) => parts.push(
      make("span", { className: kind, textContent: number === "" ? word : `${whole(number)} ${word}` }));
    if (picture.judged) {
      add(t.hits, t.hits === 1 ? "hit" : "hits", "hit");
      add(t.alarms, t.alarms === 1 ? "false alarm" : "false alarms", "alarm");
      add(t.missed, "missed", "missed");
    } else {
      add(t.detections, t.detections === 1 ? "detection" : "detections", "soft");
      if (truth) add("", "no ground truth", "other");
    }
    add("", `${picture.width}\u00a0×\u00a0${picture.height}\u00a0px`, "soft");
    if (picture.left_out) add(picture.left_out, "of low score not drawn", "soft");
    return parts.flatMap((part, n) => n ? [" · ", part] : [part]);
  }
  async function drawCard(card) {
    card.stale = false;
    const { picture } = card;
    const best = items(picture).filter((item) => view.kinds.has(item.what)).sort(byWeight);
    const near = apart(best, CLOSE);
    while (card.near.children.length > near.length) card.near.lastChild.remove();
    while (card.near.children.length < near.length) card.near.append(make("canvas"));
    card.near.hidden = !near.length;
    const pixels = await load(picture);
    const ratio = prepare(card.canvas);
    draw(card.canvas, picture, pixels, wholeLook(card.canvas, picture), { ratio });
    near.forEach((item, n) => {
      const canvas = card.near.children[n];
      if (!canvas) return; // filtered anew meanwhile
      const ratio = prepare(canvas), side = Math.max(28, 2.6 * sizeOf(item));
      const [x0, y0, x1, y1] = item.box.slice(item.at, item.at + 4);
      const look = lookAt(canvas, picture, canvas.width / side, (x0 + x1) / 2, (y0 + y1) / 2);
      draw(canvas, picture, pixels, look, { ratio, only: item });
    });
  }
  // objects that stand beside each other make one close-up
  function apart(list, number) {
    const chosen = [];
    for (const item of list) {
      const x = item.box[item.at], y = item.box[item.at + 1];
      if (chosen.length === number) break;
      if (chosen.every((c) => Math.hypot(c.box[c.at] - x, c.box[c.at + 1] - y) > 12)) chosen.push(item);
    }
    return chosen;
  }

  // ---- the gallery
  let order = [];
  function gallery() {
    for (const picture of pictures) picture.tally = tally(picture);
    const words = view.search.toLowerCase();
    order = pictures.filter((p) => p.name.toLowerCase().includes(words));
    const key = SORTS[view.sort][1];
    order.sort((one, other) => {
      const difference = key(one) - key(other);
      // infinity less infinity is no number, and then names decide as well
      return difference || one.name.localeCompare(other.name, "en", { numeric: true });
    });
    const shown = order.slice(0, view.limit).map(cardOf);
    const rows = shown.map((card) => card.row);
    $("pictures").replaceChildren(...rows);
    for (const card of shown) {
      card.counts.replaceChildren(...describe(card.picture));
      card.stale = true;
      seen.unobserve(card.row); // observed anew it reports at once, where it lies now
      seen.observe(card.row);
    }
    $("more").hidden = order.length <= view.limit;
    $("matching").textContent = words ? `${whole(order.length)} of ${whole(pictures.length)}`
      : `${whole(pictures.length)}`;
  }

  // ---- counts
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

  // ---- charts
  const WIDTH = 420, HEIGHT = 214, LEFT = 40, BOTTOM = 40, TOP = 10, RIGHT = 8;
  const INNER = WIDTH - LEFT - RIGHT, DEEP = HEIGHT - TOP - BOTTOM;
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
    const svg = frame(name, across, whole(most), ticks), width = INNER / stacks.length;
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

  // ---- beside ground truth
  function path(points, x, y) {
    return points.map((point, n) =>
      `${n ? "L" : "M"}${(LEFT + x(point) * INNER).toFixed(1)} ${(TOP + (1 - y(point)) * DEEP).toFixed(1)}`
    ).join("");
  }
  function curvePanels() {
    const chosen = [...view.classes];
    const single = chosen.length === 1 ? truth.curves[chosen[0] + 1] : truth.curves[0];
    const who = chosen.length === 1 ? data.names[chosen[0]] : "all classes";
    const fifths = [0, .2, .4, .6, .8, 1].map((value) => [value, String(value)]);
    const recall = frame("precision over recall", "recall", "1", fifths);
    const several = chosen.length > 1 && chosen.length <= 12 && data.names.length > 1;
    for (const kind of several ? chosen : []) {
      const line = drawn("path", { class: "line thin", d: path(truth.curves[kind + 1].points,
        (p) => p[2] || 0, (p) => p[1]), stroke: hue(kind, 50) });
      const title = drawn("title");
      title.textContent = data.names[kind];
      line.append(title);
      recall.append(line);
    }
    recall.append(drawn("path", { class: "line", stroke: "var(--ink)",
      d: path(single.points, (p) => p[2] || 0, (p) => p[1]) }));
    const now = single.points.filter((p) => p[0] >= view.step / 100).pop();
    if (now) recall.append(drawn("circle", { r: 5, fill: "var(--accent)",
      cx: LEFT + (now[2] || 0) * INNER, cy: TOP + (1 - now[1]) * DEEP }));
    const shares = frame("precision, recall and F1 over the score", "score", "1", fifths);
    for (const [place, colour, name] of [[1, "alarm", "precision"], [2, "hit", "recall"], [3, "ink", "F1"]]) {
      const line = drawn("path", { class: `line ${place === 3 ? "bold" : ""}`, stroke: `var(--${colour})`,
        d: path(single.points, (p) => p[0], (p) => p[place] || 0) });
      const title = drawn("title");
      title.textContent = name;
      line.append(title);
      shares.append(line);
    }
    const x = LEFT + view.step / 100 * INNER;
    shares.append(drawn("path", { class: "mark", d: `M${x} ${TOP}V${TOP + DEEP}` }));
    const [score, , , f1] = single.best;
    if (score !== null) shares.append(drawn("circle", { r: 4, fill: "var(--ink)",
      cx: LEFT + score * INNER, cy: TOP + (1 - f1) * DEEP }));
    return [panel(`Precision over recall: ${who}`, recall,
      `at IoU ${truth.iou}; the point is the chosen score${several ? "; a thin line for each class" : ""}`),
    panel(`F1 over score: ${who}`, shares, `the thick line is F1, amber precision, green recall; best F1 ` +
      `${score === null ? "none" : `${percent(f1)} at score ${score.toFixed(3)}`}`)];
  }
  function grid(head, rows, name) {
    const cell = (tag, value, n) => make(tag, { textContent: value, title: n ? "" : value,
      scope: tag === "th" && !n ? "row" : "" });
    return make("table", { "aria-label": name },
      make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { textContent: text, scope: "col" })))),
      make("tbody", {}, ...rows.map((row) => make("tr", {},
        ...row.map((value, n) => cell(n ? "td" : "th", value, n))))));
  }
  function classTable() {
    const rows = data.names.map(() => [0, 0]);
    for (const [kind, step, , hits, alarms] of data.counts) {
      if (step >= view.step) { rows[kind][0] += hits; rows[kind][1] += alarms; }
    }
    const line = (name, hits, alarms, curve) => {
      const s = shares(hits, alarms, curve.objects), [score, , , f1] = curve.best;
      return [name, ...[curve.objects, hits, alarms, s.missed].map(whole), percent(s.precision),
        percent(s.recall), percent(s.f1), fine(score), percent(f1)];
    };
    const body = rows.map(([hits, alarms], n) => line(data.names[n], hits, alarms, truth.curves[n + 1]));
    const both = line("all", sum(rows.map((r) => r[0])), sum(rows.map((r) => r[1])), truth.curves[0]);
    return grid(["class", "objects", "hits", "false alarms", "missed", "precision", "recall", "F1",
      "best score", "best F1"], [both, ...body], "by class");
  }
  function matrix() {
    const { counts, score } = truth.confusion, last = counts.length - 1;
    const names = [...data.names, ""];
    const head = make("tr", {}, make("th", { textContent: "true \u2193 as \u2192", title: "rows: true class; columns: what it was taken for" }),
      ...names.map((name, n) => make("th", { scope: "col", title: name,
        textContent: n === last ? "missed" : name })));
    const body = counts.map((row, n) => {
      const total = Math.max(1, sum(row));
      const cells = row.map((number, m) => {
        const cell = make("td", { textContent: number ? whole(number) : "·" });
        const colour = n === m ? "hit" : m === last ? "missed" : "alarm";
        cell.style.background = `color-mix(in srgb, var(--${colour}) ${Math.round(55 * number / total)}%, transparent)`;
        if (n === m && n !== last) cell.className = "right";
        return cell;
      });
      return make("tr", {}, make("th", { scope: "row", textContent: n === last ? "nothing" : names[n],
        title: names[n] }), ...cells);
    });
    const table = make("table", { className: "matrix", "aria-label": "confusion matrix" },
      make("thead", {}, head), make("tbody", {}, ...body));
    return panel("Confusion", table,
      `at score ${score.toFixed(3)} and IoU ${truth.iou}; colours are shares of a row`);
  }
  function measured() {
    if (!truth) return;
    const { columns, rows } = truth.table, short = (v) => v === null ? "–" : v <= 1 && v > 0 ? v.toFixed(2) : v.toFixed(1);
    const known = columns.map((_, n) => n).filter((n) => rows.some((row) => row[n] !== null));
    const ap = grid(["class", ...known.map((n) => columns[n])], rows.map((row, n) =>
      [n ? data.names[n - 1] : "all", ...known.map((place) => short(row[place] ?? null))]), "AP by size");
    const table = panel("Average precision and recall, by size", ap, `percent; ${data.source}`);
    const classes = panel("Each class at the chosen score", classTable(), `at IoU ${truth.iou}`);
    const all = [...curvePanels(), table, classes, matrix()];
    for (const part of all.slice(2)) part.classList.add("whole");
    $("measured").replaceChildren(...all);
  }

  // ---- the viewer
  const viewer = $("viewer"), canvas = $("canvas");
  const stage = { picture: null, look: null, pixels: { sharp: [] }, chosen: null, list: [] };
  function open(picture) {
    stage.picture = picture;
    stage.chosen = null;
    stage.pixels = { sharp: [] };
    if (!viewer.open) viewer.showModal();
    $("viewer-name").textContent = picture.name;
    $("viewer-text").replaceChildren(...describe(picture));
    stage.list = items(picture).sort(byWeight).slice(0, 1000);
    $("objects").replaceChildren(...stage.list.map((item) => {
      const score = item.what === MISSED || item.what === FLAGGED ? "" : ` ${scoreOf(item).toFixed(2)}`;
      const colour = make("span", { className: truth ? CLASS_OF[item.what] : "" });
      if (!truth) colour.style.color = hue(item.box[item.at + 4]);
      colour.textContent = `■ `;
      const text = `${data.names[item.box[item.at + 4]]}${score} · ${truth ? `${WORDS[item.what]} · ` : ""}${sizeOf(item).toFixed(0)} px`;
      const button = make("button", { type: "button" }, colour, text);
      button.addEventListener("click", () => choose(item));
      return make("li", {}, button);
    }));
    prepare(canvas);
    fit();
    canvas.focus();
    load(picture).then((pixels) => {
      if (stage.picture !== picture) return;
      stage.pixels = pixels;
      paint();
    });
  }
  function paint() {
    if (!viewer.open || !stage.picture) return;
    const ratio = prepare(canvas);
    draw(canvas, stage.picture, stage.pixels, stage.look, { ratio, labels: true, chosen: stage.chosen });
    canvas.dataset.zoom = stage.look.zoom.toFixed(4);
  }
  function fit() {
    stage.look = wholeLook(canvas, stage.picture);
    paint();
  }
  function zoom(factor, x = canvas.width / 2, y = canvas.height / 2) {
    const look = stage.look, least = wholeLook(canvas, stage.picture).zoom / 2;
    const wanted = Math.min(60, Math.max(least, look.zoom * factor));
    look.x += x / look.zoom - x / wanted;
    look.y += y / look.zoom - y / wanted;
    look.zoom = wanted;
    paint();
  }
  function move(x, y) {
    stage.look.x -= x / stage.look.zoom;
    stage.look.y -= y / stage.look.zoom;
    paint();
  }
  function choose(item) {
    const [x0, y0, x1, y1] = item.box.slice(item.at, item.at + 4);
    const wanted = Math.min(canvas.width, canvas.height) / Math.max(48, 6 * sizeOf(item));
    stage.chosen = item;
    stage.look = lookAt(canvas, stage.picture, wanted, (x0 + x1) / 2, (y0 + y1) / 2);
    const place = stage.list.findIndex((other) => sameItem(item, other));
    [...$("objects").children].forEach((row, n) => {
      row.firstChild.setAttribute("aria-current", String(n === place));
      if (n === place) row.scrollIntoView({ block: "nearest" });
    });
    paint();
  }
  function step(by) {
    const place = order.indexOf(stage.picture) + by;
    if (place >= 0 && place < order.length) open(order[place]);
  }
  function nextObject(by) {
    if (!stage.list.length) return;
    const place = stage.chosen ? stage.list.findIndex((item) => sameItem(item, stage.chosen)) : -1;
    const number = stage.list.length;
    choose(stage.list[place < 0 ? (by > 0 ? 0 : number - 1) : (place + by + number) % number]);
  }
  const KEYS = {
    "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), 0: fit,
    n: () => nextObject(1), p: () => nextObject(-1),
    ArrowLeft: () => step(-1), ArrowRight: () => step(1),
  };
  const MOVES = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
  viewer.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.shiftKey && MOVES[event.key]) move(...MOVES[event.key]);
    else if (KEYS[event.key]) KEYS[event.key]();
    else return;
    event.preventDefault();
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const ratio = canvas.width / canvas.clientWidth;
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? .05 : .0016)), event.offsetX * ratio, event.offsetY * ratio);
  }, { passive: false });
  const fingers = new Map();
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const ratio = canvas.width / canvas.clientWidth;
    const other = [...fingers.values()].find((finger) => finger.pointerId !== event.pointerId);
    fingers.set(event.pointerId, event);
    if (other) {
      const span = (finger) => Math.hypot(finger.offsetX - other.offsetX, finger.offsetY - other.offsetY);
      zoom(span(event) / Math.max(1, span(before)), other.offsetX * ratio, other.offsetY * ratio);
    } else move((event.offsetX - before.offsetX) * ratio, (event.offsetY - before.offsetY) * ratio);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => fingers.delete(event.pointerId));
  }
  const press = { previous: () => step(-1), next: () => step(1), closer: () => zoom(1.4),
    farther: () => zoom(1 / 1.4), fit, object: () => nextObject(1), close: () => viewer.close() };
  for (const [id, act] of Object.entries(press)) $(id).addEventListener("click", act);
  viewer.addEventListener("close", () => {
    const card = stage.picture && cards.get(stage.picture.id);
    if (card) card.button.focus();
  });

  // ---- the tools
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
      view.step = Math.floor(score * 100 + 1e-9);
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
})();
