"""A Wireshark profile: columns, coloring rules, filter buttons and names for what the plugin shows.

`python -m vudissect.wireshark.profile FOLDER` writes its files.

The groups of messages come from the table: the purpose of a message decides its group.
"""

import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from vudissect.capture.packet import ADDRESSES, PROXY_ADDRESS
from vudissect.protocol.model import Channel, Meaning
from vudissect.protocol.payloads import ACK
from vudissect.protocol.purpose import Purpose
from vudissect.protocol.table import UPSTREAM
from vudissect.wireshark.names import field_name, joined, subject

NAME: Final = "vhost-user"
"""The name of the profile, as in `wireshark -C vhost-user`."""

_FIRST_LINE = "# Generated from the message table by vudissect: "
_DIGITS = 16
_BLACK = (0, 0, 0)
# On the request, and on the event that made it certain: the only one that a single pass over a file can mark.
_UNANSWERED = "vhost_user.unanswered || vhost_user.unanswered.request"
_Color = tuple[int, int, int]

_NEGOTIATION = (
    Purpose.OFFER_FEATURES,
    Purpose.ACK_FEATURES,
    Purpose.OFFER_PROTOCOL_FEATURES,
    Purpose.ACK_PROTOCOL_FEATURES,
    Purpose.OFFER_GPU_FEATURES,
    Purpose.ACK_GPU_FEATURES,
    Purpose.COUNT_QUEUES,
    Purpose.COUNT_MEMORY_SLOTS,
    Purpose.TAKE_OWNERSHIP,
    Purpose.OPEN_CHANNEL,
)
_MEMORY = (
    Purpose.REPLACE_MEMORY,
    Purpose.ADD_MEMORY,
    Purpose.REMOVE_MEMORY,
    Purpose.SET_LOG,
    Purpose.OFFER_INFLIGHT,
    Purpose.SET_INFLIGHT,
    Purpose.UPDATE_IOTLB,
    Purpose.COUNT_SHARED_MEMORY,
    Purpose.MAP_SHARED_MEMORY,
    Purpose.UNMAP_SHARED_MEMORY,
    Purpose.ADD_OBJECT,
    Purpose.GIVE_OBJECT,
    Purpose.REMOVE_OBJECT,
)
_RINGS = (
    Purpose.SET_RING_SIZE,
    Purpose.SET_RING_ADDRESSES,
    Purpose.SET_RING_BASE,
    Purpose.SET_BYTE_ORDER,
    Purpose.SET_KICK,
    Purpose.SET_CALL,
    Purpose.SET_ERR,
    Purpose.KICK_RING,
    Purpose.CALL_RING,
    Purpose.FAIL_RING,
    Purpose.SET_BYTE_ORDER,
)
_RUNNING = (
    Purpose.ENABLE_RING,
    Purpose.STOP_RING,
    Purpose.RUN_RING,
    Purpose.HALT_RINGS,
    Purpose.DISABLE_RINGS,
    Purpose.RESET,
    Purpose.SET_STATUS,
    Purpose.GET_STATUS,
)
_CONFIGURATION = (
    Purpose.READ_CONFIG,
    Purpose.WRITE_CONFIG,
    Purpose.CHANGE_CONFIG,
    Purpose.SET_MTU,
    Purpose.OPEN_SESSION,
    Purpose.CLOSE_SESSION,
)
_MIGRATION = (
    Purpose.ADVISE_POSTCOPY,
    Purpose.START_POSTCOPY,
    Purpose.END_POSTCOPY,
    Purpose.START_STATE_TRANSFER,
    Purpose.CHECK_STATE_TRANSFER,
    Purpose.ANNOUNCE,
)


class ColoringRule(NamedTuple):
    """Packets that a filter selects, and their colors: red, green and blue from 0 to 255."""

    name: str
    filter: str
    background: _Color
    foreground: _Color = _BLACK


class Button(NamedTuple):
    """A button next to the filter line."""

    label: str
    filter: str
    comment: str


class Column(NamedTuple):
    """A column of the packet list; `format` is Wireshark's."""

    title: str
    format: str


def _messages(*purposes: Purpose) -> str:
    """A filter for the messages with these purposes."""
    names = dict.fromkeys(row.name for row in UPSTREAM.messages if row.purpose in purposes)
    return f"vhost_user.message in {{{', '.join(json.dumps(name) for name in names)}}}"


def _failures() -> str:
    """A filter for answers that report a failed request."""
    names: dict[str, None] = {}
    for layout in (ACK, *(layout for row in UPSTREAM.messages for layout in row.reply)):
        if layout.failure:
            word = layout.fields[0]
            parts = [part.name for part in word.parts if part.meaning is Meaning.STATUS_CODE]
            names |= dict.fromkeys(
                [joined(subject(layout), part) for part in parts] or [field_name(subject(layout), word)]
            )
    return " || ".join(f"{name} > 0" for name in names)


def _field(name: str) -> str:
    return f"%Cus:{name}:0:R"


COLUMNS = (
    Column("No.", "%m"),
    Column("Time", "%t"),
    Column("Source", "%s"),
    Column("Destination", "%d"),
    # Before the narrow ones, so that its beginning is in view in a window of the default width.
    Column("Info", "%i"),
    Column("Answer after", _field("vhost_user.response_time")),
    Column("Rule", _field("vhost_user.rule")),
)

# The first match counts, so problems come first.
COLORING_RULES = (
    ColoringRule("vhost-user: malformed", "vhost_user.problem", (164, 0, 0), (255, 252, 156)),
    ColoringRule("vhost-user: request failed", _failures(), (204, 0, 0), (255, 255, 255)),
    ColoringRule("vhost-user: never answered", _UNANSWERED, (206, 92, 0), (255, 255, 255)),
    ColoringRule("vhost-user: rule violation", "vhost_user.rule", (252, 175, 62)),
    ColoringRule("vhost-user: connection", "vhost_user.record.kind > 1", (211, 215, 207)),
    ColoringRule("vhost-user: answer", "vhost_user.response_to", (245, 245, 245)),
    ColoringRule("vhost-user: back-end channel", f"vhost_user.channel == {Channel.BACKEND:d}", (237, 220, 245)),
    ColoringRule("vhost-user: GPU channel", f"vhost_user.channel == {Channel.GPU:d}", (213, 240, 235)),
    ColoringRule("vhost-user: negotiation", _messages(*_NEGOTIATION), (252, 244, 206)),
    ColoringRule("vhost-user: memory", _messages(*_MEMORY), (216, 235, 212)),
    ColoringRule("vhost-user: ring set-up", _messages(*_RINGS), (218, 232, 250)),
    ColoringRule("vhost-user: running ring", _messages(*_RUNNING), (184, 212, 244)),
    ColoringRule("vhost-user: configuration", _messages(*_CONFIGURATION), (245, 229, 214)),
    ColoringRule("vhost-user: migration", _messages(*_MIGRATION), (245, 214, 228)),
)

BUTTONS = (
    Button("Findings", "vhost_user.rule", "messages that violate a rule"),
    Button("Unanswered", _UNANSWERED, "requests that were never answered"),
    Button("Slow", "vhost_user.response_time > 0.1", "answers after more than 100 ms"),
    Button("Negotiation", _messages(*_NEGOTIATION), "features, numbers of queues, other channels"),
    Button("Memory", _messages(*_MEMORY), "memory map, log, in-flight memory, IOTLB"),
    Button("Rings", _messages(*_RINGS, *_RUNNING), "setting up, starting and stopping rings"),
    Button("Descriptors", "vhost_user.fds > 0", "messages with file descriptors"),
    Button("Events", "vhost_user.record.kind > 1", "opening and closing connections and channels"),
)


def files() -> dict[str, str]:
    """The files of the profile by name. The first line of each tells whether the rest was changed since."""
    texts = {
        "preferences": _preferences(),
        "colorfilters": _coloring_rules(),
        "dfilter_buttons": _buttons(),
        "hosts": _hosts(),
    }
    return {name: f"{_FIRST_LINE}{_digest(text)}\n{text}" for name, text in texts.items()}


def is_unchanged(text: str) -> bool:
    """Whether a file of the profile is as some version of vudissect wrote it."""
    first, _, rest = text.partition("\n")
    return first == f"{_FIRST_LINE}{_digest(rest)}"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:_DIGITS]


def _preferences() -> str:
    columns = ",\n\t".join(f'"{column.title}", "{column.format}"' for column in COLUMNS)
    return (
        f"gui.column.format:\n\t{columns}\n"
        # Wireshark shows the names that captures have for addresses only if enabled; external resolvers are not asked.
        "nameres.network_name: TRUE\nnameres.use_external_name_resolver: FALSE\n"
    )


def _coloring_rules() -> str:
    lines = (
        f"@{rule.name}@{rule.filter}@{_color(rule.background)}{_color(rule.foreground)}\n" for rule in COLORING_RULES
    )
    return "".join(lines)


def _color(color: _Color) -> str:
    return f"[{','.join(str(part * 257) for part in color)}]"


def _buttons() -> str:
    lines = (
        ",".join(_quoted(text) for text in ("TRUE", button.label, button.filter, button.comment)) + "\n"
        for button in BUTTONS
    )
    return "".join(lines)


def _hosts() -> str:
    """The names of the addresses in captures: captures have them, but editcap and mergecap drop them."""
    named = (*ADDRESSES.values(), PROXY_ADDRESS)
    return "".join(f"{'.'.join(map(str, address))} {name}\n" for address, name in named)


def _quoted(text: str) -> str:
    """A value in one of Wireshark's tables, in which special bytes are written in hexadecimal."""
    return '"' + text.replace('"', r"\x22") + '"'


if __name__ == "__main__":
    for file, text in files().items():
        Path(sys.argv[1], file).write_text(text)
