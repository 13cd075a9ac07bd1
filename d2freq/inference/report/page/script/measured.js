// Beside ground truth: curves, tables and the confusion matrix.

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
  const { columns, rows } = truth.table;
  const tenth = (value) => value === null ? "–" : value.toFixed(1);
  const known = columns.map((_, n) => n).filter((n) => rows.some((row) => row[n] !== null));
  const ap = grid(["class", ...known.map((n) => columns[n])], rows.map((row, n) =>
    [n ? data.names[n - 1] : "all", ...known.map((place) => tenth(row[place] ?? null))]), "AP by size");
  // a hundredth above the 0.05 of most configs: what scores less is not in the run, and AP lacks it
  const part = LEAST > 5 ? ` This run kept detections that score ${data.least} or more, and only these count here: the AP of a training, which counts all of them, is higher. Search with --score 0.05 to see that one.` : "";
  const table = panel("Average precision and recall, by size", ap, `percent; ${data.source}${part && "."}${part}`);
  const classes = panel("Each class at the chosen score", classTable(), `at IoU ${truth.iou}`);
  const all = [...curvePanels(), table, classes, matrix()];
  for (const part of all.slice(2)) part.classList.add("whole");
  $("measured").replaceChildren(...all);
}
