// Pixels, decoded when they are first needed, and a picture with its boxes on a canvas. A look says
// that x, y of the picture lie at ((x - look.x) * look.zoom, (y - look.y) * look.zoom).

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
  const many = list.length > 300 && !labels; // which would hide the picture
  const thin = (many ? 1 : 1.5) * ratio, least = (many ? 2 : 5) * ratio;
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
