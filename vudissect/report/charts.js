// Charts over the time of the session: latencies, and what was seen in each ring.
"use strict";
const COLUMNS = 400;
const [LEFT, WIDTH] = [50, 800];
const MOST_CHARTS = 32;
const MOST_SAMPLES = 500;

const scaleOf = (rows) => {
  const end = rows.at(-1).elapsed || 1;
  return (elapsed) => LEFT + (elapsed * WIDTH) / end;
};
const columnOf = (x) => Math.floor(((x - LEFT) * COLUMNS) / WIDTH);

// A line at the time of the selected frame, in each chart.
function markTime(rows, elapsed) {
  const x = scaleOf(rows)(elapsed);
  for (const chart of document.querySelectorAll("svg.chart")) {
    chart.querySelector(".now")?.remove();
    chart.prepend(svg("line", { x1: x, x2: x, y1: 0, y2: chart.viewBox.baseVal.height, class: "now" }));
  }
}

function chartOf(height, label) {
  return svg("svg", { viewBox: `0 0 860 ${height}`, class: "chart", role: "img", "aria-label": label });
}

// On a scale of powers of ten; of those that would be drawn over each other, the longest.
function latencies(rows) {
  const answered = rows.filter((row) => row.latency >= 0);
  if (!answered.length) return [element("p", { class: "dim" }, "No answers are in this page.")];
  const x = scaleOf(rows);
  const columns = new Map();
  for (const row of answered) {
    const column = columnOf(x(row.elapsed));
    if (!(columns.get(column)?.latency > row.latency)) columns.set(column, row);
  }
  const y = (latency) => 118 - Math.min(Math.max(Math.log10(Math.max(latency, 1000)) - 3, 0), 8) * 13.5;
  const chart = chartOf(130, `Latencies of ${answered.length} answers over time; the slowest are listed below`);
  for (const [text, value] of [["1us", 1e3], ["100us", 1e5], ["10ms", 1e7], ["1s", 1e9], ["100s", 1e11]]) {
    chart.append(svg("line", { x1: LEFT - 2, x2: LEFT + WIDTH + 6, y1: y(value), y2: y(value) }), svg("text", { x: LEFT - 8, y: y(value) + 4 }, text));
  }
  for (const row of columns.values()) {
    const point = svg("circle", { cx: x(row.elapsed), cy: y(row.latency), r: 3 });
    const title = svg("title", {}, `#${row.frame} ${row.name} ${durationText(row.latency)}`);
    chart.append(svg("a", { href: `#frame=${row.frame}`, tabindex: -1 }, point, title));
  }
  const slowest = answered.toSorted((a, b) => b.latency - a.latency).slice(0, 5);
  const list = slowest.map((row) => element("li", {}, `${durationText(row.latency)} ${row.name} `, element("a", { href: `#frame=${row.frame}` }, `#${row.frame}`)));
  return [chart, element("ol", {}, ...list)];
}

// What is drawn of a ring: bands from top to bottom, each with its lines.
const BANDS = [
  ["requests pending", ["pending"]],
  ["made available and used, since the first", ["avail", "used"]],
  ["unread notifications", ["kick", "call"]],
];
const BAND = 58;

// A position counts modulo 65536: the same without a jump, from 0. A packed ring has a descriptor and a wrap counter.
function counted(samples) {
  if (samples.every(({ used }) => used === null)) {
    return samples.map((sample) => ({ ...sample, avail: sample.avail === null ? null : sample.avail & 0x7fff }));
  }
  const start = samples.find(({ used }) => used !== null).used;
  const last = { avail: start, used: start };
  const total = { avail: 0, used: 0 };
  const next = (key, value) => {
    if (value === null) return null;
    // A step back is a ring that was set up again.
    const step = (value - last[key]) & 0xffff;
    total[key] += step < 0x8000 ? step : step - 0x10000;
    last[key] = value;
    return total[key];
  };
  return samples.map((sample) => ({ ...sample, avail: next("avail", sample.avail), used: next("used", sample.used) }));
}

// The largest value of each column, as steps; a value that is not known ends the line.
function stepsOf(samples, key, x, y) {
  const columns = new Map();
  for (const { elapsed, [key]: value } of samples) {
    const column = columnOf(x(elapsed));
    const known = columns.get(column);
    if (!known || value === null || (known[1] !== null && value >= known[1])) columns.set(column, [x(elapsed), value]);
  }
  let path = "";
  let isOpen = false;
  for (const [at, value] of columns.values()) {
    if (isOpen) path += `H${at.toFixed(1)}`;
    if (value !== null) path += `${isOpen ? "V" : `M${at.toFixed(1)} `}${y(value).toFixed(1)}`;
    isOpen = value !== null;
  }
  return isOpen ? `${path}h3` : path;
}

function ringChart(samples, title, x, onSelect) {
  const shown = counted(samples);
  const known = BANDS.map(([name, keys]) => [name, keys.filter((key) => shown.some((each) => each[key] !== null))]);
  const bands = known.filter(([, keys]) => keys.length);
  const chart = chartOf(bands.length * BAND + 6, `${title}: ${samples.length} observations; they are in the table below`);
  bands.forEach(([name, keys], number) => {
    const values = shown.flatMap((each) => keys.map((key) => each[key])).filter((value) => value !== null);
    const [low, high] = [Math.min(0, minimum(values)), Math.max(1, -minimum(values.map((value) => -value)))];
    const [top, bottom] = [number * BAND + 24, number * BAND + BAND];
    const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - top);
    for (const value of [low, high]) {
      chart.append(svg("line", { x1: LEFT - 2, x2: LEFT + WIDTH + 6, y1: y(value), y2: y(value) }), svg("text", { x: LEFT - 8, y: y(value) + 4 }, String(value)));
    }
    chart.append(svg("text", { x: LEFT, y: top - 7, class: "name" }, `${name}${keys.length > 1 ? ":" : ""}`));
    keys.forEach((key, place) => {
      if (keys.length > 1) chart.append(svg("text", { x: 310 + place * 60, y: top - 7, class: `name ${key}` }, `${place ? "╌" : "─"} ${key}`));
      const path = stepsOf(shown, key, x, y);
      const filled = key === "pending" ? path.replace(/M([\d.]+) /g, `M$1 ${bottom}V`) + `V${bottom}` : path;
      chart.append(svg("path", { d: filled, class: key }));
    });
  });
  if (!bands.length) chart.append(svg("text", { x: LEFT, y: 14, class: "name" }, "nothing could be read"));
  const target = svg("rect", { x: LEFT, y: 0, width: WIDTH + 6, height: bands.length * BAND + 6 });
  const nearest = (event) => {
    const box = target.getBoundingClientRect();
    const at = LEFT + ((event.clientX - box.left) / box.width) * (WIDTH + 6);
    return samples.findLast(({ elapsed }) => x(elapsed) <= at) ?? samples[0];
  };
  const words = svg("title", {});
  target.append(words);
  target.addEventListener("mousemove", (event) => (words.textContent = nearest(event).text));
  target.addEventListener("click", (event) => onSelect(nearest(event).place));
  chart.append(target);
  return chart;
}

const minimum = (values) => values.reduce((least, each) => (each < least ? each : least));

function samplesTable(samples) {
  const keys = ["avail", "used", "pending", "kick", "call"];
  const head = element("tr", {}, ...["frame", "seconds", ...keys].map((name) => element("th", { scope: "col" }, name)));
  const body = samples.slice(0, MOST_SAMPLES).map((sample) => element(
    "tr", {},
    element("td", {}, element("a", { href: `#frame=${sample.frame}` }, `#${sample.frame}`)),
    element("td", {}, (sample.elapsed / 1e9).toFixed(6)),
    ...keys.map((key) => element("td", {}, sample[key] === null ? "-" : String(sample[key]))),
  ));
  const more = samples.length > MOST_SAMPLES ? [element("p", {}, `${samples.length - MOST_SAMPLES} more: vudissect rings has them`)] : [];
  return [element("table", { class: "samples", "aria-label": "Observations" }, element("thead", {}, head), element("tbody", {}, ...body)), ...more];
}

function ringCharts(rows, places, rings, onSelect) {
  const x = scaleOf(rows);
  const made = rings.slice(0, MOST_CHARTS).flatMap(({ title, seen }) => {
    const samples = seen.filter(([frame]) => places.has(frame)).map(([frame, avail, used, pending, kick, call]) => {
      const place = places.get(frame);
      const { elapsed, text } = rows[place];
      return { frame, place, elapsed, text: `#${frame} ${text}`, avail, used, pending, kick, call };
    });
    if (!samples.length) return [];
    const table = element("details", {}, element("summary", {}, "As a table"));
    table.addEventListener("toggle", () => table.childElementCount > 1 || table.append(...samplesTable(samples)), { once: true });
    return [element("h3", {}, title), ringChart(samples, title, x, onSelect), table];
  });
  if (rings.length > MOST_CHARTS) made.push(element("p", {}, `${rings.length - MOST_CHARTS} more rings: vudissect rings has them`));
  return made;
}
