// One picture from near: zoom, objects one after another, keys.

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
