// Asks the server once a second whether there is more, and then loads the page again: the address keeps the selection.
addEventListener("load", () => {
  const live = document.getElementById("live");
  const ask = async () => {
    try {
      const { count } = await (await fetch(`count${location.search}`, { cache: "no-store" })).json();
      if (count !== Number(live.dataset.count)) return location.reload();
    } catch {
      live.textContent = "vuproxy has ended: this is the last that was seen";
      return;
    }
    setTimeout(ask, 1000);
  };
  setTimeout(ask, 1000);
});
