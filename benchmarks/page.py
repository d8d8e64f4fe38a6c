"""Opens the page of a long session in a browser, and scrolls through all of it, compared with an empty page.

The empty page has a box of the same height and no script. Both are scrolled in the same steps, one for each frame that
the browser draws, so that the ratio is that of frames per second.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.programs import BUILD, installed
from benchmarks.table import Row, compared, in_turns, milliseconds, per_second
from benchmarks.traffic import capture
from tests.report.browser import Browser, browser

ROUNDS = 5
OPENED, SCROLLED = 20_000, 100_000
STEPS = 200
LINE = 26

_EMPTY = (
    "<!doctype html><title>empty</title><div id=diagram style='height: 80vh; overflow-y: auto'>"
    "<div style='height: {height}px'></div></div><script>const ready = Promise.resolve({{}})</script>"
)
# Until the selected frame is drawn.
_OPENED = "ready.then((session) => session.showing).then(() => performance.now())"
_SCROLLED = f"""
ready.then(async () => {{
  document.getElementById("fold")?.click();
  const box = document.getElementById("diagram");
  const length = box.scrollHeight - box.clientHeight;
  const begin = performance.now();
  for (let step = 1; step <= {STEPS}; step++) {{
    box.scrollTop = (length * step) / {STEPS};
    await new Promise(requestAnimationFrame);
  }}
  return (1000 * {STEPS}) / (performance.now() - begin);
}})
"""


def run() -> list[Row]:
    short, long = _page(OPENED), _page(SCROLLED)
    empty = BUILD / "empty.html"
    empty.write_text(_EMPTY.format(height=SCROLLED * LINE))
    with _chromium() as chromium:
        results = in_turns(
            ROUNDS,
            {
                "opened": partial(_shown, chromium, short, _OPENED),
                "empty opened": partial(_shown, chromium, empty, _OPENED),
                "scrolled": partial(_shown, chromium, long, _SCROLLED),
                "empty scrolled": partial(_shown, chromium, empty, _SCROLLED),
            },
        )
    opened, nothing = ([each / 1000 for each in results[name]] for name in ("opened", "empty opened"))
    return [
        compared(
            f"page of {OPENED:,} messages opens in",
            milliseconds,
            ("vudissect report", opened),
            ("empty page", nothing),
            "under 1 s",
        ),
        compared(
            f"frames drawn, scrolled through {SCROLLED:,} messages",
            per_second,
            ("vudissect report", results["scrolled"]),
            ("empty page", results["empty scrolled"]),
            "at least 0.5",
        ),
    ]


def _page(messages: int) -> Path:
    path = BUILD / f"page-{messages}.html"
    subprocess.run([installed("vudissect"), "report", os.fspath(capture(messages)), "-o", path], check=True)
    return path


def _shown(chromium: Browser, page: Path, measure: str) -> float:
    # Another page in between: else the browser keeps the place.
    chromium.open("about:blank")
    chromium.open(f"file://{page}")
    measured: float = chromium.evaluate(measure)
    return measured


@contextmanager
def _chromium() -> Iterator[Browser]:
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder, browser(Path(folder)) as running:
        running.size(1280, 900)
        yield running
