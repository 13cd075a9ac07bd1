// What a picture holds under the present filters, and the orders of pictures.

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
