// Reads the data of the page, and connects the diagram, the details, the filter, the keyboard and the address.
"use strict";
const ready = (async () => {
  const get = (id) => document.getElementById(id);
  const [filterText, searchText, fold, count, problem] = ["filter-text", "search-text", "fold", "count", "problem"].map(get);

  async function unpacked(script) {
    const bytes = Uint8Array.from(atob(script.textContent), (each) => each.charCodeAt(0));
    return JSON.parse(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text());
  }

  const about = await unpacked(get("about"));
  const rows = [];
  for (const block of await Promise.all(Array.from(document.querySelectorAll("script.rows"), unpacked))) {
    for (const [frame, elapsed, sender, channel, connection, kind, name, text, request, latency, flags, rings, findings] of block) {
      rows.push({
        frame, elapsed, sender, channel, connection, name, kind: kind ?? 0, text: text ?? "", request: request ?? 0,
        latency: latency ?? -1, rings: rings || [], findings: findings || [],
        traffic: (flags & 1) !== 0, owed: (flags & 2) !== 0, hasDescriptors: (flags & 4) !== 0, forgets: (flags & 8) !== 0,
      });
    }
  }
  const places = new Map(rows.map((row, place) => [row.frame, place]));
  const answers = new Map(rows.filter((row) => row.request).map((row) => [row.request, row]));
  const found = rows.flatMap((row, place) => (row.findings.some((each) => about.findings[each].severity !== "info") ? [place] : []));
  const blocks = Array.from(document.querySelectorAll("script.details"), () => null);

  let reading = null;
  let valuesAreRead = false;
  const readValues = () => (reading ??= Promise.all(Array.from(document.querySelectorAll("script.values"), unpacked)).then((read) => {
    read.flat().forEach((values, place) => (rows[place].values = values));
    valuesAreRead = true;
  }));

  const details = (number) => (blocks[number] ??= unpacked(document.querySelectorAll("script.details")[number]));

  async function around(place) {
    const first = place - (place % about.block);
    const block = await details(first / about.block);
    const [before, after] = statesAt(block, rows, first, place);
    const connection = rows[place].connection;
    before.waiting = isAfterCut(rows, place) ? [] : waitingAfter(rows, answers, connection, place - 1);
    after.waiting = waitingAfter(rows, answers, connection, place);
    return [block[1][place - first], before, after];
  }

  let latest = 0;
  async function showFrame(place) {
    const turn = ++latest;
    const row = rows[place];
    address();
    markTime(rows, row.elapsed);
    const [detail, before, after] = await around(place);
    if (turn !== latest) return;
    get("frame").replaceChildren(...frameDetails(row, about, detail, before, after, answers.get(row.frame)));
    get("frame").dataset.frame = row.frame;
  }

  const session = { rows, about, around, readValues };
  const diagram = new Diagram(get("diagram"), rows, about, (place) => {
    session.showing = showFrame(place);
  });
  session.diagram = diagram;

  function address() {
    const state = new URLSearchParams();
    if (diagram.selected >= 0) state.set("frame", rows[diagram.selected].frame);
    if (filterText.value) state.set("filter", filterText.value);
    history.replaceState(null, "", `#${state}`);
  }

  const missing = (frame) => `Frame ${frame} is not in this page${about.left_out ? "; vudissect report --from and --to make a page of it" : ""}.`;

  function say(text) {
    problem.textContent = text;
    problem.hidden = !text;
  }

  function applyFilter() {
    let test = () => true;
    say("");
    try {
      if (filterText.value.trim()) test = compileFilter(filterText.value, about);
      filterText.removeAttribute("aria-invalid");
      if (test.remarks) say(test.remarks.join("; "));
      if (test.usesValues && !valuesAreRead) {
        readValues().then(applyFilter);
        return;
      }
    } catch (error) {
      filterText.setAttribute("aria-invalid", "true");
      say(error.message);
      return;
    }
    diagram.show(rows.flatMap((row, place) => (test(row) ? [place] : [])));
    count.textContent = `${diagram.shown.length} of ${rows.length} frames`;
  }

  // To a frame, also if the filter hides it: then the filter is cleared, unless it came with the frame.
  function go(place, withFilter = false) {
    if (!withFilter && !diagram.shown.includes(place)) {
      filterText.value = "";
      applyFilter();
    }
    if (diagram.lineOf(place) >= 0 && diagram.lines[diagram.lineOf(place)].row !== place) {
      diagram.unfolded.add(diagram.lines[diagram.lineOf(place)].row);
      diagram.layOut();
    }
    diagram.select(place);
  }

  function fromAddress() {
    const state = new URLSearchParams(location.hash.slice(1));
    if (state.has("filter") && state.get("filter") !== filterText.value) {
      filterText.value = state.get("filter");
      applyFilter();
    }
    if (!state.has("frame")) return;
    const place = places.get(Number(state.get("frame")));
    if (place === undefined) say(missing(state.get("frame")));
    else if (place !== diagram.selected) go(place, state.has("filter"));
  }

  function next(list, step) {
    const after = step > 0 ? list.find((place) => place > diagram.selected) : list.findLast((place) => place < diagram.selected);
    const place = after ?? list.at(step > 0 ? 0 : -1);
    if (place !== undefined) go(place);
  }

  function search(step) {
    const wanted = searchText.value.toLowerCase();
    const matches = diagram.shown.filter((place) => `${rows[place].name} ${rows[place].text}`.toLowerCase().includes(wanted));
    count.textContent = wanted ? `${matches.length} frames have “${searchText.value}”` : `${diagram.shown.length} of ${rows.length} frames`;
    if (wanted) next(matches, step);
  }

  function toOther() {
    const row = rows[diagram.selected];
    const other = row && (row.request ? places.get(row.request) : places.get(answers.get(row.frame)?.frame));
    if (other !== undefined) go(other);
  }

  function toggleKeys() {
    get("keys").hidden = !get("keys").hidden;
    get("help").setAttribute("aria-expanded", String(!get("keys").hidden));
  }

  const page = () => Math.max(1, Math.floor(get("diagram").clientHeight / LINE) - 2);
  const KEYS = {
    ArrowDown: () => diagram.move(1), j: () => diagram.move(1),
    ArrowUp: () => diagram.move(-1), k: () => diagram.move(-1),
    PageDown: () => diagram.move(page()), PageUp: () => diagram.move(-page()),
    Home: () => diagram.choose(0), End: () => diagram.choose(Infinity),
    Enter: () => diagram.toggle(),
    n: () => next(found, 1), p: () => next(found, -1),
    r: toOther,
    f: () => filterText.focus(), "/": () => searchText.focus(), "?": toggleKeys,
    Escape: () => {
      filterText.value = searchText.value = "";
      applyFilter();
      get("diagram").focus();
    },
  };
  const ANYWHERE = new Set(["n", "p", "f", "/", "?", "r", "j", "k", "Escape"]);

  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input[type=search]");
    if (event.ctrlKey || event.altKey || event.metaKey || (typing && event.key !== "Escape")) return;
    if (event.target !== get("diagram") && !ANYWHERE.has(event.key)) return;
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  filterText.addEventListener("input", () => {
    applyFilter();
    address();
  });
  searchText.addEventListener("keydown", (event) => event.key === "Enter" && search(event.shiftKey ? -1 : 1));
  fold.addEventListener("change", () => {
    diagram.fold = fold.checked;
    diagram.layOut();
  });
  get("next-finding").disabled = !found.length;
  get("next-finding").addEventListener("click", () => next(found, 1));
  get("help").addEventListener("click", toggleKeys);
  addEventListener("hashchange", fromAddress);
  document.addEventListener("click", (event) => {
    // The same address again is no change.
    const link = event.target.closest("a[href^='#frame=']");
    if (!link) return;
    event.preventDefault();
    // One in a drawing has no hash.
    const frame = Number(link.getAttribute("href").slice("#frame=".length));
    const place = places.get(frame);
    if (place === undefined) return say(missing(frame));
    go(place);
    get("session").scrollIntoView();
  });

  applyFilter();
  get("latencies").append(...latencies(rows));
  if (about.rings.length) {
    get("rings").append(...ringCharts(rows, places, about.rings, go));
    get("rings-seen").hidden = false;
  }
  fromAddress();
  if (diagram.selected < 0 && rows.length) diagram.select(found[0] ?? 0);
  return session;
})();
