// The selected frame: its fields and bytes, and the state of its connection before and after.
"use strict";
const UNKNOWN = "unknown";
const HEADER = [["request", 0, 4], ["flags", 4, 4], ["size", 8, 4]];

// Lay a difference over a state, as vudissect/report/frames.py makes it.
function patched(state, patch) {
  if (!patch) return state;
  const made = { ...state };
  for (const [key, value] of Object.entries(patch)) {
    const known = made[key];
    const inner = isObject(value) && isObject(known);
    made[key] = inner ? patched(known, value) : value;
  }
  return made;
}

// Whether frames before this one are not in the page.
const isAfterCut = (rows, place) => place > 0 && rows[place].frame - rows[place - 1].frame > 1;

// The requests that are owed an answer after a frame, oldest first; without those before a cut, whose answer may be in it.
function waitingAfter(rows, answers, connection, place) {
  const waiting = [];
  const closed = new Set();
  for (let each = place; each >= 0; each--) {
    const row = rows[each];
    if (each < place && isAfterCut(rows, each + 1)) break;
    if (row.connection !== connection || closed.has(row.channel)) continue;
    if (row.forgets && !row.channel) break;
    if (row.forgets) closed.add(row.channel);
    else if (row.owed && !(answers.get(row.frame)?.frame <= rows[place].frame)) waiting.push(row);
  }
  return waiting.reverse();
}

function waitingText(waiting) {
  const more = waiting.length > 8 ? ` and ${waiting.length - 8} more` : "";
  return waiting.slice(0, 8).map((row) => `${row.name} (#${row.frame})`).join(", ") + more || "none";
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

// The states before and after a frame. A block has the whole states at its begin.
function statesAt(block, rows, first, place) {
  const connection = rows[place].connection;
  let before = block[0][connection] ?? {};
  for (let each = first; each < place; each++) {
    if (rows[each].connection === connection) before = patched(before, block[1][each - first][3]);
  }
  return [{ ...before }, { ...patched(before, block[1][place - first][3]) }];
}

const hex = (value) => (value === null || value === undefined ? UNKNOWN : `0x${BigInt(value).toString(16)}`);
const known = (value) => (value === null || value === undefined ? UNKNOWN : String(value));

function sizeText(value) {
  let size = BigInt(value);
  for (const unit of ["", "K", "M", "G", "T"]) {
    if (!size || size % 1024n || unit === "T") return `${size}${unit}`;
    size /= 1024n;
  }
}

const bits = (word) => (word ? word.names.join(" ") || "none" : UNKNOWN);
const shared = (file) => (file ? `${sizeText(file.size)} in ${file.descriptor ?? "no descriptor"} (#${file.frame})` : "none");

// What a state has besides memory and rings, as pairs of a title and a text.
const FACTS = [
  ["phase", (state) => known(state.phase)],
  ["device", (state) => `${known(state.device)}${state.device_guessed ? " (guessed)" : ""}`],
  ["dialect", (state) => known(state.dialect)],
  ["features offered", (state) => bits(state.features?.offered)],
  ["features acknowledged", (state) => bits(state.features?.acknowledged)],
  ["protocol features offered", (state) => bits(state.protocol_features?.offered)],
  ["protocol features acknowledged", (state) => bits(state.protocol_features?.acknowledged)],
  ["owner", (state) => (state.owned_since ? `since #${state.owned_since}` : UNKNOWN)],
  ["queues", (state) => known(state.queues)],
  ["memory slots", (state) => known(state.memory_slots)],
  ["status", (state) => bits(state.status)],
  ["log", (state) => shared(state.log)],
  ["in-flight memory", (state) => shared(state.inflight)],
  ["postcopy", (state) => known(state.postcopy)],
  ["device state", (state) => state.device_state ?? "none"],
  ["mappings", (state) => (state.mappings ?? []).map((each) => `${hex(each.start)}+${sizeText(each.size)} in region ${each.region}`).join(", ") || "none"],
  ["objects", (state) => Object.keys(state.objects ?? {}).join(" ") || "none"],
  ["waiting for answers", (state) => waitingText(state.waiting ?? [])],
];

const slot = (value) => (value ? `${value.descriptor ?? "none"} (#${value.frame})` : UNKNOWN);
const place = (value) => (value?.place ? `region${value.place.region}+${hex(value.place.offset)}` : hex(value?.raw));
const RING = [
  ["ring", (ring) => known(ring.index)],
  ["started", (ring) => (ring.started ? "yes" : "no")],
  ["enabled", (ring) => (ring.enabled ? "yes" : "no")],
  ["size", (ring) => known(ring.size)],
  ["base", (ring) => known(ring.base)],
  ["stopped at", (ring) => known(ring.stopped_at)],
  ["desc", (ring) => place(ring.addresses?.desc)],
  ["avail", (ring) => place(ring.addresses?.avail)],
  ["used", (ring) => place(ring.addresses?.used)],
  ["kick", (ring) => slot(ring.kick)],
  ["call", (ring) => slot(ring.call)],
  ["err", (ring) => slot(ring.err)],
  ["seen", (ring) => (ring.seen ? Object.entries(ring.seen).map((pair) => pair.join(" ")).join(", ") : UNKNOWN)],
];

const present = (entries) => Object.entries(entries ?? {}).filter(([, each]) => each !== null);

function changedCell(before, after) {
  if (before === after || before === undefined) return element("td", {}, after);
  return element("td", { class: "changed" }, element("del", {}, before), " ", element("ins", {}, after));
}

function factsTable(before, after) {
  const table = element("table", { class: "state", "aria-label": "State" });
  const facts = FACTS.map(([title, text]) => [title, text(before), text(after)]);
  const changed = facts.filter(([, was, is]) => was !== is);
  const others = facts.filter(([, was, is]) => was === is && is !== UNKNOWN && is !== "none");
  for (const [title, was, is] of [...changed, ...others]) {
    table.append(element("tr", {}, element("th", { scope: "row" }, title), changedCell(was, is)));
  }
  return table;
}

function ringsTable(before, after) {
  const rings = present(after.rings);
  if (!rings.length) return element("p", { class: "dim" }, "No ring is known.");
  const shown = rings.slice(0, 64);
  const head = element("tr", {}, ...RING.map(([title]) => element("th", { scope: "col" }, title)));
  const table = element("table", { class: "rings", "aria-label": "Rings" }, element("thead", {}, head));
  const body = element("tbody");
  for (const [index, ring] of shown) {
    const was = before.rings?.[index] ?? {};
    body.append(element("tr", {}, ...RING.map(([, text]) => changedCell(before.rings?.[index] ? text(was) : before.phase ? UNKNOWN : undefined, text(ring)))));
  }
  table.append(body);
  const more = rings.length - shown.length;
  return element("div", { class: "wide" }, table, more > 0 ? element("p", {}, `${more} more rings`) : "");
}

function svg(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// The regions to scale over guest addresses; what is between them is left out, as a gap of fixed width.
function memoryMap(before, after) {
  const was = new Map(present(before.memory));
  const is = new Map(present(after.memory));
  const numbers = [...new Set([...was.keys(), ...is.keys()])].slice(0, 64);
  if (!numbers.length) return element("p", { class: "dim" }, "No memory is known.");
  const regions = numbers.map((number) => {
    const region = is.get(number) ?? was.get(number);
    const [start, size] = [BigInt(region.guest_addr), BigInt(region.size)];
    const state = !is.has(number) ? "removed" : was.has(number) || !before.phase ? "kept" : "added";
    return { number, region, start, size, state };
  });
  regions.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  const total = regions.reduce((sum, each) => sum + each.size, 0n) || 1n;
  const room = 640 - 8 * regions.length;
  const drawing = svg("svg", { viewBox: "0 0 648 34", class: "memory", role: "img", "aria-label": "memory regions to scale; they are listed below" });
  let left = 4;
  const list = element("ul", { class: "regions" });
  for (const { number, region, start, size, state } of regions) {
    const width = Math.max((room * Number((size * 100000n) / total)) / 100000, 2);
    const text = `region${number}: ${hex(start)}+${sizeText(size)} at ${hex(region.user_addr)}, ${region.descriptor ?? "no descriptor"}+${hex(region.mmap_offset)} (#${region.frame})`;
    drawing.append(svg("rect", { x: left, y: 4, width, height: 26, class: state }, svg("title", {}, text)));
    list.append(element("li", { class: state }, state === "kept" ? text : `${state}: ${text}`));
    left += width + 8;
  }
  return element("div", {}, drawing, list);
}

function bytesAndFields(detail) {
  if (!detail[0]) return [];
  const [text, length] = detail[0];
  const spans = [];
  const bytes = element("pre", { class: "bytes", "aria-label": "bytes" });
  for (let place = 0; place * 2 < text.length; place++) {
    if (place) bytes.append(place % 16 ? " " : "\n");
    spans.push(element("span", {}, text.slice(place * 2, place * 2 + 2)));
    bytes.append(spans[place]);
  }
  if (text.length / 2 < length) bytes.append(`\n… ${length} bytes`);
  const number = (start) => (text.length >= (start + 4) * 2 ? `0x${text.slice(start * 2, (start + 4) * 2).match(/../g).reverse().join("")}` : UNKNOWN);
  const fields = [...HEADER.map(([name, start, size]) => [`${name} = ${number(start)} (header)`, start, size]), ...detail[1]];
  const list = element("ul", { class: "fields" });
  for (const [words, start, size] of fields) {
    const field = element("li", size ? { tabindex: 0 } : {}, words);
    const mark = (on) => spans.slice(start, start + size).forEach((span) => span.classList.toggle("marked", on));
    for (const [event, on] of [["mouseenter", true], ["mouseleave", false], ["focus", true], ["blur", false]]) {
      field.addEventListener(event, () => mark(on));
    }
    list.append(field);
  }
  return [element("h3", {}, "Fields and bytes"), element("div", { class: "both" }, list, bytes)];
}

function frameDetails(row, about, detail, before, after, answer) {
  const sender = about.sides[row.sender];
  const link = (frame) => element("a", { href: `#frame=${frame}` }, `#${frame}`);
  const parts = [
    element("h2", {}, `#${row.frame} ${row.name || row.text}`),
    element("p", { class: "dim" }, `from the ${sender}, ${about.channels[row.channel]} channel, connection ${row.connection}, ${(row.elapsed / 1e9).toFixed(6)} s`),
  ];
  if (row.name && row.text) parts.push(element("p", {}, row.text));
  if (row.request) parts.push(element("p", {}, "answers ", link(row.request), row.latency < 0 ? "" : ` after ${durationText(row.latency)}`));
  if (answer) parts.push(element("p", {}, "answered in ", link(answer.frame), answer.latency < 0 ? "" : ` after ${durationText(answer.latency)}`));
  else if (row.owed) parts.push(element("p", {}, `owed an answer, which is not in the ${about.left_out ? "page" : "capture"}`));
  for (const each of row.findings) {
    const { severity, rule, blame, message, frames } = about.findings[each];
    const line = element("p", { class: "about" }, element("span", { class: `severity ${severity}` }, severity), ` ${rule} ${blame}: ${message} `);
    for (const frame of frames) line.append(link(frame), " ");
    parts.push(line);
  }
  parts.push(...bytesAndFields(detail));
  if (detail[2]?.length) parts.push(element("ul", { class: "notes" }, ...detail[2].map((note) => element("li", {}, note))));
  if (row.connection) {
    const title = detail[3] ? "State before and after" : "State (this frame does not change it)";
    parts.push(element("h3", {}, title), factsTable(before, after));
    parts.push(element("h3", {}, "Memory"), memoryMap(before, after));
    parts.push(element("h3", {}, "Rings"), ringsTable(before, after));
  }
  return parts;
}
