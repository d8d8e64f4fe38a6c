"""The schema of the tables, as data: every column with its type and meaning, in the order of the rows.

A column that is added raises nothing; one that is removed, renamed or means something else raises `SCHEMA_VERSION`.
"""

from enum import StrEnum
from typing import NamedTuple

SCHEMA_VERSION = 1


class Type(StrEnum):
    """The type of a column."""

    TEXT = "text"
    INTEGER = "integer"  # signed, 64 bits
    WORD = "word"  # unsigned, 64 bits: features, flags, sizes from the wire
    TIME = "time"  # ns since the epoch, UTC
    FLAG = "flag"  # true or false


class Column(NamedTuple):
    """A column. Any can be null: what a capture does not show. `few`: it has few different values."""

    name: str
    type: Type
    meaning: str
    few: bool = False


class Table(NamedTuple):
    """A table: `rows` says what a row is."""

    name: str
    rows: str
    columns: tuple[Column, ...]


_TEXT, _INTEGER, _WORD, _TIME, _FLAG = Type

_FILE = Column("file", _TEXT, "the capture, as it was named", few=True)
_CONNECTION = Column("connection", _INTEGER, "the number of the connection in the capture, from 1")
_FRAME = Column("frame", _INTEGER, "the record in the capture, as Wireshark counts")
_TIME_OF_RECORD = Column("time", _TIME, "when it was received")
_CHANNEL = Column("channel", _TEXT, "`main`, `backend` or `gpu`", few=True)
_SENDER = Column("sender", _TEXT, "`front-end` or `back-end`", few=True)
_MESSAGE = Column("message", _TEXT, "the name of the message", few=True)

SESSIONS = Table(
    "sessions",
    "one row for each connection",
    (
        _FILE,
        _CONNECTION,
        Column("started", _TIME, "the first record"),
        Column("ended", _TIME, "the last record"),
        Column("from_start", _FLAG, "whether the capture has its beginning and nothing is missing"),
        Column("front_end", _TEXT, "the name of its executable, or else of its command"),
        Column("front_end_pid", _INTEGER, "its process id"),
        Column("back_end", _TEXT, "the same of the back-end"),
        Column("back_end_pid", _INTEGER, "its process id"),
        Column("device", _TEXT, "the type of the device"),
        Column("device_guessed", _FLAG, "whether the type is a guess"),
        Column("dialect", _TEXT, "the dialect of the protocol"),
        Column("phase", _TEXT, "how far it was at its end, or before it was closed ([states](states.md))"),
        Column("closed_by", _TEXT, "`front-end`, `back-end` or `proxy`; null if it is open where the capture ends"),
        Column("closed_how", _TEXT, "what its socket reported"),
        Column("messages", _INTEGER, "the number of messages"),
        Column("descriptors", _INTEGER, "the number of descriptors that were passed"),
        Column("unanswered", _INTEGER, "requests that were owed an answer and did not receive one"),
        Column("errors", _INTEGER, "findings of this severity"),
        Column("warnings", _INTEGER, "findings of this severity"),
        Column("features_offered", _WORD, "the feature word that the back-end offered last"),
        Column("features_acked", _WORD, "the feature word that the front-end acknowledged last"),
        Column("features", _TEXT, "the names of the acknowledged features, with spaces between them"),
        Column("protocol_features_offered", _WORD, "the same of the protocol features"),
        Column("protocol_features_acked", _WORD, "the same of the protocol features"),
        Column("protocol_features", _TEXT, "the same of the protocol features"),
        Column("queues", _INTEGER, "how many queues the back-end reported"),
        Column("memory_regions", _INTEGER, "the number of memory regions at its end"),
        Column("memory_bytes", _WORD, "their size together"),
    ),
)
MESSAGES = Table(
    "messages",
    "one row for each message",
    (
        _FILE,
        _CONNECTION,
        _FRAME,
        _TIME_OF_RECORD,
        Column("elapsed_ns", _INTEGER, "since the first record of the capture"),
        Column("held_ns", _INTEGER, "from when it was received until it was forwarded"),
        _CHANNEL,
        _SENDER,
        Column("kind", _TEXT, "`request`, `reply`, `ack`, or `malformed`", few=True),
        Column("message_id", _INTEGER, "its number on the wire"),
        Column("message", _TEXT, "its name; null if the number is not in the table", few=True),
        Column("flags", _WORD, "the flags of its header"),
        Column(
            "payload_bytes", _WORD, "the size of its payload according to its header; null if only its name is known"
        ),
        Column("ring", _INTEGER, "the first ring that it names"),
        Column("descriptors", _INTEGER, "the number of descriptors that were passed with it"),
        Column("request_frame", _INTEGER, "the request that it answers"),
        Column("latency_ns", _INTEGER, "from when that request was forwarded until this answer was received"),
        Column("payload", _TEXT, "its payload as a JSON object, the same as in [`show --json`](json.md)"),
    ),
)
FINDINGS = Table(
    "findings",
    "one row for each finding of the linter",
    (
        _FILE,
        _CONNECTION,
        Column("frame", _INTEGER, "where it happened; null if not at a record"),
        Column("time", _TIME, "when it was found"),
        Column("rule", _TEXT, "the id of the rule ([rules](rules.md))"),
        Column("severity", _TEXT, "`error`, `warning`, `info` or `compat`"),
        Column(
            "blame",
            _TEXT,
            "`front-end`, `back-end`, `both`, `unknown`, or `fault` for what follows from an injected one",
        ),
        Column("text", _TEXT, "what is wrong, in one sentence"),
        Column("frames", _TEXT, "the frames that led to it, with spaces between them"),
    ),
)
DESCRIPTORS = Table(
    "descriptors",
    "one row for each descriptor of a message",
    (
        _FILE,
        _CONNECTION,
        _FRAME,
        _TIME_OF_RECORD,
        _SENDER,
        _MESSAGE,
        Column("position", _INTEGER, "its position in the message, from 0"),
        Column("name", _TEXT, "its name in the capture, the same for the same open object: `mem#1`"),
        Column("kind", _TEXT, "`memfd`, `eventfd`, `file` ..."),
        Column("identity", _TEXT, "what identifies the open object"),
        Column("size_bytes", _WORD, "its size; null if it has none"),
        Column("page_bytes", _WORD, "the size of its pages; null if it has none"),
        Column("seals", _INTEGER, "its `F_SEAL_` bits; null if it cannot be sealed"),
        Column("flags", _WORD, "its `O_` bits"),
        Column("object", _TEXT, "the name that the kernel gives it"),
    ),
)
RINGS = Table(
    "rings",
    "one row for each ring of a connection, as it is at the end",
    (
        _FILE,
        _CONNECTION,
        Column("ring", _INTEGER, "the index of the ring"),
        Column("size", _INTEGER, "the number of its entries"),
        Column("started", _FLAG, "whether it is started at the end, or was when the connection was closed"),
        Column("enabled", _FLAG, "the same: whether it is enabled"),
        Column("ran", _FLAG, "whether it has ever run"),
        Column("base", _INTEGER, "the index from which it was started last"),
        Column("stopped_at", _INTEGER, "the index at which it was stopped last"),
        Column("observations", _INTEGER, "how often `vuproxy --rings` looked into it"),
        Column("most_pending", _INTEGER, "the most requests that were pending; null if none was looked at"),
        Column("longest_pending_ns", _INTEGER, "the longest that requests were pending without progress"),
    ),
)
FAULTS = Table(
    "faults",
    "one row for each fault of transport or of recording",
    (
        _FILE,
        _CONNECTION,
        _FRAME,
        _TIME_OF_RECORD,
        _CHANNEL,
        Column("sender", _TEXT, "`front-end` or `back-end`; null if it is not about a message"),
        Column("message", _TEXT, "the name of the message; null if it is not about one"),
        Column(
            "kind",
            _TEXT,
            "`malformed`, `descriptors_lost`, `cut_short`, `not_forwarded`, `gap` (messages are missing), "
            "`ring` (a ring is damaged); of `vuproxy --fault`: `injected`, `not_injected`, `withheld`",
        ),
        Column("text", _TEXT, "what is known about it"),
    ),
)

CAPTURES = Table(
    "captures",
    "one row for each capture",
    (
        _FILE,
        Column("size_bytes", _WORD, "the size of the file; null if it cannot be opened"),
        Column("problem", _TEXT, "why it could not be read to its end; null if it was"),
        Column("withheld_findings", _INTEGER, "repetitions of findings, which have no row"),
    ),
)
ERRORS = Table(
    "errors",
    "one row for each capture that could not be read to its end",
    (_FILE, Column("problem", _TEXT, "why not")),
)

TABLES = (SESSIONS, MESSAGES, FINDINGS, DESCRIPTORS, RINGS, FAULTS)
"""The tables that have files in an export."""

ABOUT_CAPTURES = (CAPTURES, ERRORS)
"""What is known about the captures themselves: for queries, without files of their own."""
