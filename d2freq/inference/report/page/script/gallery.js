// Cards of pictures, drawn when they come into view.

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
