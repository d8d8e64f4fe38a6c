// Filters the rows of a table by text, verdicts and family, and moves between them with the arrow keys.
"use strict";
(() => {
  const rows = Array.from(document.querySelectorAll("tbody tr[data-family]"));
  const text = document.getElementById("text");
  const family = document.getElementById("family");
  const verdicts = Array.from(document.querySelectorAll("button[data-verdict]"));
  const count = document.getElementById("count");
  const clear = document.getElementById("clear");
  const haystacks = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));

  const pressed = () => verdicts.filter((button) => button.getAttribute("aria-pressed") === "true");
  const press = (button, on) => button.setAttribute("aria-pressed", String(on));

  function apply() {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(pressed().map((button) => button.dataset.verdict));
    let shown = 0;
    for (const row of rows) {
      const here =
        (!family.value || row.dataset.family === family.value) &&
        (!wanted.size || row.dataset.verdicts.split(" ").some((each) => wanted.has(each))) &&
        words.every((word) => haystacks.get(row).includes(word));
      row.hidden = !here;
      shown += here;
    }
    const filtered = words.length || wanted.size || family.value;
    count.textContent = `${shown} of ${rows.length} cases`;
    clear.hidden = !filtered;
    const state = new URLSearchParams();
    if (text.value) state.set("text", text.value);
    if (family.value) state.set("family", family.value);
    if (wanted.size) state.set("verdict", Array.from(wanted).join(","));
    // So that the way back from a case leads to the same rows.
    if (location.hash || filtered) history.replaceState(null, "", `#${state}`);
  }

  function restore() {
    const state = new URLSearchParams(location.hash.slice(1));
    text.value = state.get("text") || "";
    family.value = state.get("family") || "";
    if (family.selectedIndex < 0) family.value = "";
    const wanted = (state.get("verdict") || "").split(",");
    for (const button of verdicts) press(button, wanted.includes(button.dataset.verdict));
    apply();
  }

  function reset() {
    text.value = "";
    family.value = "";
    for (const button of verdicts) press(button, false);
    apply();
  }

  function move(by, across) {
    const grid = rows.filter((row) => !row.hidden).map((row) => Array.from(row.querySelectorAll("a")));
    const place = grid.findIndex((links) => links.includes(document.activeElement));
    const column = place < 0 ? 0 : grid[place].indexOf(document.activeElement);
    const next = grid[place < 0 ? 0 : place + by];
    if (next) next[Math.max(0, Math.min(next.length - 1, column + across))].focus();
    else if (place === 0) text.focus();
  }

  const MOVES = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const inRows = document.activeElement.closest("tbody");
    if (event.key === "/" && document.activeElement !== text) {
      text.focus();
    } else if (event.key === "Escape") {
      reset();
      text.focus();
    } else if (event.key in MOVES && (inRows || (document.activeElement === text && event.key === "ArrowDown"))) {
      move(...MOVES[event.key]);
    } else {
      return;
    }
    event.preventDefault();
  });
  text.addEventListener("input", apply);
  family.addEventListener("change", apply);
  clear.addEventListener("click", reset);
  for (const button of verdicts) {
    button.addEventListener("click", () => {
      press(button, button.getAttribute("aria-pressed") !== "true");
      apply();
    });
  }
  window.addEventListener("hashchange", restore);
  document.getElementById("filter").hidden = false;
  restore();
})();
