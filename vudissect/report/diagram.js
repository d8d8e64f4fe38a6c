// The frames as a sequence diagram: only the lines in the window are in the document.
"use strict";
const LINE = 26;
const FOLD_FROM = 4;
const GAP = 1000000000;
const MOST_ON_PAPER = 500;

function durationText(nanoseconds) {
  if (nanoseconds < 999500) return `${+(nanoseconds / 1e3).toPrecision(3)}us`;
  if (nanoseconds < 999500000) return `${+(nanoseconds / 1e6).toPrecision(3)}ms`;
  return `${(nanoseconds / 1e9).toFixed(3)}s`;
}

// An element; texts are only ever set as text.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== false) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// What is drawn, one line each: frames, findings below theirs, times in which nothing happened, repetition, and where
// frames are left out.
function lines(rows, shown, cuts, findings, fold, unfolded) {
  const made = [];
  let latest = -1;
  let cut = 0;
  for (let place = 0; place < shown.length; ) {
    const row = rows[shown[place]];
    for (; cut < cuts.length && cuts[cut] <= shown[place]; cut++) {
      made.push({ kind: "cut", row: shown[place], count: rows[cuts[cut]].frame - rows[cuts[cut] - 1].frame - 1 });
      latest = -1;
    }
    if (latest >= 0 && row.elapsed - latest >= GAP) made.push({ kind: "gap", row: shown[place], time: row.elapsed - latest });
    let end = place;
    while (fold && end < shown.length && isTraffic(rows[shown[end]]) && !(cuts[cut] <= shown[end])) end++;
    if (end - place >= FOLD_FROM) {
      const open = unfolded.has(shown[place]);
      made.push({ kind: "fold", row: shown[place], last: shown[end - 1], count: end - place, open });
      if (open) for (let each = place; each < end; each++) made.push({ kind: "frame", row: shown[each] });
    } else {
      end = Math.max(end, place + 1);
      for (let each = place; each < end; each++) {
        made.push({ kind: "frame", row: shown[each] });
        for (const finding of rows[shown[each]].findings) {
          if (findings[finding].severity !== "info") made.push({ kind: "finding", row: shown[each], finding });
        }
      }
    }
    latest = rows[shown[end - 1]].elapsed;
    place = end;
  }
  return made;
}

const isTraffic = (row) => row.traffic && !row.findings.length;

class Diagram {
  constructor(box, rows, about, onSelect) {
    Object.assign(this, { box, rows, about, onSelect, lines: [], selected: -1, unfolded: new Set(), fold: true, drawnLines: new Map(), isOnPaper: false });
    this.shown = rows.map((_, place) => place);
    this.cuts = this.shown.filter((place) => isAfterCut(rows, place));
    this.inner = box.firstElementChild;
    this.names = new Map();
    let waiting = false;
    box.addEventListener("scroll", () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        this.draw();
      });
    });
    box.addEventListener("click", (event) => {
      const line = event.target.closest("[data-line]");
      if (!line) return;
      this.choose(Number(line.dataset.line));
      if (this.lines[Number(line.dataset.line)].kind === "fold") this.toggle();
    });
    new ResizeObserver(() => this.draw()).observe(box);
    addEventListener("beforeprint", () => this.drawForPaper());
    addEventListener("afterprint", () => {
      this.isOnPaper = false;
      this.draw(true);
    });
  }

  show(shown) {
    this.shown = shown;
    this.layOut();
  }

  layOut() {
    this.lines = lines(this.rows, this.shown, this.cuts, this.about.findings, this.fold, this.unfolded);
    this.inner.style.height = `${this.lines.length * LINE}px`;
    this.line = this.lineOf(this.selected);
    this.draw(true);
  }

  // The line of a frame, or of the repetition that it is folded into; -1 if it is not shown.
  lineOf(row) {
    let low = 0;
    let high = this.lines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.lines[middle].row <= row) low = middle;
      else high = middle - 1;
    }
    while (low > 0 && this.lines[low].row === row && this.lines[low].kind === "finding") low--;
    const line = this.lines[low];
    if (!line || row < line.row) return -1;
    return line.row === row || (line.kind === "fold" && !line.open && row <= line.last) ? low : -1;
  }

  select(row) {
    this.selected = row;
    this.line = this.lineOf(row);
    if (this.line >= 0) {
      const top = this.line * LINE;
      const { scrollTop, clientHeight } = this.box;
      if (top < scrollTop + LINE || top > scrollTop + clientHeight - 2 * LINE) this.box.scrollTop = top - clientHeight / 3;
    }
    this.draw(true);
    this.onSelect(row);
  }

  choose(line) {
    const known = this.lines[Math.max(0, Math.min(line, this.lines.length - 1))];
    if (known) this.select(known.row);
  }

  // Up or down by so many lines that are frames or repetition.
  move(by) {
    const step = Math.sign(by);
    let line = this.line < 0 ? -1 : this.line;
    let left = Math.abs(by);
    for (let next = line + step; next >= 0 && next < this.lines.length && left; next += step) {
      if (["finding", "gap", "cut"].includes(this.lines[next].kind)) continue;
      line = next;
      left--;
    }
    if (line >= 0) this.choose(line);
  }

  toggle() {
    const line = this.lines[this.line];
    if (!line || line.kind !== "fold") return;
    if (!this.unfolded.delete(line.row)) this.unfolded.add(line.row);
    this.layOut();
  }

  // Paper does not scroll: on it are the lines around the selected frame, whether they are in the window or not.
  drawForPaper() {
    this.isOnPaper = true;
    const first = Math.max(0, Math.min(this.line - MOST_ON_PAPER / 2, this.lines.length - MOST_ON_PAPER));
    const last = Math.min(this.lines.length, first + MOST_ON_PAPER);
    const made = Array.from({ length: last - first }, (_, place) => this.drawn(first + place));
    const left = [[first, "before"], [this.lines.length - last, "after"]].map(([count, where]) =>
      count ? [element("p", { class: "dim" }, `${count} lines ${where} these are not printed`)] : [],
    );
    this.inner.replaceChildren(...left[0], ...made, ...left[1]);
  }

  // Lines that are still in the window are kept, unless all have changed.
  draw(changed = false) {
    if (this.isOnPaper) return;
    const first = Math.max(0, Math.floor(this.box.scrollTop / LINE) - 8);
    const last = Math.min(this.lines.length, first + Math.ceil(this.box.clientHeight / LINE) + 16);
    const kept = changed ? new Map() : this.drawnLines;
    this.drawnLines = new Map();
    for (let number = first; number < last; number++) this.drawnLines.set(number, kept.get(number) ?? this.drawn(number));
    this.inner.replaceChildren(...this.drawnLines.values());
    const active = this.line >= first && this.line < last ? `line-${this.line}` : "";
    if (active) this.box.setAttribute("aria-activedescendant", active);
    else this.box.removeAttribute("aria-activedescendant");
  }

  drawn(number) {
    const line = this.lines[number];
    const row = this.rows[line.row];
    const chosen = number === this.line;
    const made = element("div", {
      class: `line ${line.kind}${chosen ? " chosen" : ""}`,
      role: "option",
      id: `line-${number}`,
      "data-line": number,
      "aria-selected": chosen,
      "aria-posinset": number + 1,
      "aria-setsize": this.lines.length,
    });
    made.style.top = `${number * LINE}px`;
    this[`${line.kind}Line`](made, line, row);
    return made;
  }

  gapLine(made, line) {
    made.append(element("span", { class: "across" }, `${durationText(line.time)} later`));
  }

  cutLine(made, line) {
    made.append(element("span", { class: "across" }, `${line.count} frames are not in this page`));
  }

  findingLine(made, line) {
    const { severity, rule, blame, message } = this.about.findings[line.finding];
    made.classList.add(severity);
    made.append(element("span", { class: "across", title: message }, `▲ ${severity} ${rule} ${blame}: ${message}`));
  }

  foldLine(made, line, row) {
    const sign = line.open ? "▾" : "▸";
    const text = `${sign} ${line.count} messages such as ${row.name} (#${row.frame} to #${this.rows[line.last].frame})`;
    const state = line.open ? "unfolded" : "folded, Enter unfolds";
    made.append(element("span", { class: "across" }, text), element("span", { class: "unseen" }, state));
  }

  frameLine(made, line, row) {
    const channel = row.channel ? `${this.about.channels[row.channel]}: ` : "";
    const direction = ["right", "left", "none"][row.sender];
    made.classList.add(direction, `channel-${row.channel}`);
    if (this.about.answers.includes(row.kind)) made.classList.add("answer");
    const [front, back, proxy] = this.about.sides;
    const sides = [`${front} to ${back}`, `${back} to ${front}`, `recorded by the ${proxy}`][row.sender];
    const number = row.connection > 1 ? `c${row.connection} ` : "";
    made.title = `#${row.frame}, ${sides}: ${channel}${row.name} ${row.text}`;
    made.append(
      element("span", { class: "number" }, `${row.frame}`),
      element("span", { class: "time" }, (row.elapsed / 1e9).toFixed(6)),
      element("span", { class: "unseen" }, sides),
      element(
        "span",
        { class: "arrow" },
        element("span", { class: "text" }, `${number}${channel}`, element("b", {}, row.name), ` ${row.text}`),
      ),
    );
  }
}
