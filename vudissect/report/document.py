"""A whole page: it needs no network and no other file, and the browser may not fetch or run anything else."""

from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib import resources

from vudissect.report.html import Html, join, tag


def document(
    title: str, *body: Html, scripts: Sequence[str] = (), styles: Sequence[str] = ("style.css",), is_live: bool = False
) -> str:
    """A page with these files of this package in it. A live one may ask the server that it came from."""
    style = Html("".join(map(_asset, styles)))
    code = Html("".join(map(_asset, scripts)))
    policy = "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            f"style-src '{_digest(style)}'",
            *((f"script-src '{_digest(code)}'",) if code else ()),
            *(("connect-src 'self'",) if is_live else ()),
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        # Else a browser asks the server for one.
        tag("link", rel="icon", href="data:,"),
        tag("style", style),
    )
    end = (tag("script", code),) if code else ()
    return f"<!doctype html>\n{tag('html', head, tag('body', join(*body, *end)), lang='en')}\n"


@cache
def _asset(name: str) -> Html:
    return Html((resources.files("vudissect.report") / name).read_text("utf-8"))


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
