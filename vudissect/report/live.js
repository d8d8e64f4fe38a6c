// Asks the server once a second whether there is more, and then loads the page again: the address keeps selection and filter.
addEventListener("load", () => {
  const SECOND = 1000;
  const SLOWEST = 30 * SECOND;
  const live = document.getElementById("live");
  const { responseEnd, requestStart } = performance.getEntriesByType("navigation")[0];
  // A long page takes the server long: it must have time for the rest.
  const pause = Math.max(SECOND, 4 * (responseEnd - requestStart));
  const isTyping = () => document.activeElement.matches("input[type=search]");
  let failed = 0;
  const say = (text) => {
    if (live.textContent !== text) live.textContent = text;
  };

  const ask = async () => {
    try {
      const { count } = await (await fetch(`count${location.search}`, { cache: "no-store" })).json();
      failed = 0;
      const isNew = count !== Number(live.dataset.count);
      if (isNew && !isTyping()) return location.reload();
      say(isNew ? `${count} frames so far; new ones are shown when you leave the field` : `${count} frames so far, live`);
    } catch {
      failed++;
      say("vuproxy does not answer: this is the last that was seen; the page goes on asking");
    }
    setTimeout(ask, Math.min(pause * 2 ** failed, Math.max(pause, SLOWEST)));
  };
  setTimeout(ask, pause);
});
