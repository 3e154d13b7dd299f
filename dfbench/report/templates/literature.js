// A slider over precomputed curves; without it the still figure shows a few of its positions.
const SVG = "http://www.w3.org/2000/svg";
const make = (name, attributes, parent, text) => {
  const node = document.createElementNS(SVG, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
};
const html = (name, properties, parent) => {
  const node = Object.assign(document.createElement(name), properties);
  parent.append(node);
  return node;
};
const ticks = (low, high) => {
  const step = [0.1, 0.2, 0.25, 0.5, 1, 2].find((s) => (high - low) / s <= 7) || (high - low) / 5;
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9; i++) found.push(+(i * step).toFixed(6));
  return found;
};
const widget = (box, data, id) => {
  const W = innerWidth < 700 ? 380 : 640, H = 380, L = 58, R = 12, T = 12, B = 46;
  const ends = data.curves[0].x, from = Math.round(ends[0]), to = Math.round(ends[ends.length - 1]);
  const X = (v) => L + ((v - from) / (to - from)) * (W - L - R);
  const Y = (v) => T + ((data.ylim[1] - v) / (data.ylim[1] - data.ylim[0])) * (H - T - B);
  const label = html("label", { htmlFor: id, textContent: data.label + ": " }, box);
  const value = html("output", { className: "at" }, label);
  const list = html("datalist", { id: id + "-ticks" }, box);
  data.positions.forEach((_, i) => html("option", { value: i }, list));
  const range = html("input", { type: "range", id, min: 0, max: data.positions.length - 1, step: 1, value: 0 }, box);
  range.setAttribute("list", list.id);
  const svg = make("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${data.y} over ${data.x}` }, box);
  for (const v of ticks(Math.min(from, to), Math.max(from, to))) {
    make("path", { class: "line", d: `M${X(v)} ${T}V${H - B}` }, svg);
    make("text", { x: X(v), y: H - B + 18, "text-anchor": "middle" }, svg, String(v).replace("-", "−"));
  }
  for (const v of ticks(...data.ylim)) {
    make("path", { class: "line", d: `M${L} ${Y(v)}H${W - R}` }, svg);
    make("text", { x: L - 8, y: Y(v) + 4, "text-anchor": "end" }, svg, String(v).replace("-", "−"));
  }
  make("text", { x: (L + W - R) / 2, y: H - 6, "text-anchor": "middle" }, svg, data.x);
  make("text", { transform: `translate(14 ${(T + H - B) / 2}) rotate(-90)`, "text-anchor": "middle" }, svg, data.y);
  const plot = make("g", {}, svg);
  const kind = (c) => `curve ${c.colour === null ? "still" : "c" + c.colour}${c.dashed ? " dashed" : ""}`;
  const legend = html("p", { className: "legend" }, box);
  for (const c of data.curves) {
    const key = make("svg", { viewBox: "0 0 34 10", width: 34, height: 10, "aria-hidden": "true" }, legend);
    make("path", { class: kind(c), d: "M1 5H33" }, key);
    legend.append(" " + c.label + " ");
  }
  const readings = html("p", { className: "readings" }, box);
  readings.setAttribute("aria-live", "polite");
  const draw = () => {
    const at = +range.value;
    value.textContent = data.positions[at];
    range.setAttribute("aria-valuetext", data.positions[at]);
    plot.replaceChildren();
    for (const c of data.curves)
      for (const line of c.y[Math.min(at, c.y.length - 1)]) {
        const points = line.map((y, i) => `${X(c.x[i]).toFixed(1)},${Y(y).toFixed(1)}`);
        make("polyline", { class: kind(c), points: points.join(" ") }, plot);
        if (c.marks)
          for (const point of points) {
            const [cx, cy] = point.split(",");
            make("circle", { class: kind(c), cx, cy, r: 2.5 }, plot);
          }
      }
    readings.textContent = Object.entries(data.readings).map(([text, all]) => `${text}: ${all[at]}`).join("; ");
  };
  range.addEventListener("input", draw);
  draw();
};
document.querySelectorAll("script.series").forEach((script, i) => {
  const box = html("div", { className: "slider" }, document.createDocumentFragment());
  widget(box, JSON.parse(script.textContent), "slider" + i);
  script.before(box);
  script.parentElement.classList.add("moves");
});
