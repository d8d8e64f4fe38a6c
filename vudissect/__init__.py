"""vudissect: record, explain and replay the traffic between a vhost-user front-end and back-end.

    import vudissect

    for event, findings in vudissect.analyse("boot.pcapng"):
        print(event.record.frame, event.name, event.latency, findings)

The names here stay compatible within a minor version; everything else is private unless a page under docs/ says
otherwise. Each name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vudissect import replay as replay
    from vudissect.analysis import Analysis as Analysis
    from vudissect.analysis import Linted as Linted
    from vudissect.analysis import analyse as analyse
    from vudissect.analysis import findings as findings
    from vudissect.analysis import follow as follow
    from vudissect.analysis import read as read
    from vudissect.analysis import states as states
    from vudissect.capture.errors import CaptureError as CaptureError
    from vudissect.capture.errors import TruncatedCapture as TruncatedCapture
    from vudissect.capture.record import Record as Record
    from vudissect.capture.record import RecordKind as RecordKind
    from vudissect.conversation.conversation import Conversation as Conversation
    from vudissect.conversation.conversation import ConversationError as ConversationError
    from vudissect.conversation.text import read_conversation as compose
    from vudissect.filter import Filter as Filter
    from vudissect.filter import FilterError as FilterError
    from vudissect.filter import compile_filter as compile_filter
    from vudissect.lint.finding import Blame as Blame
    from vudissect.lint.finding import Finding as Finding
    from vudissect.lint.finding import Severity as Severity
    from vudissect.protocol.devices import DEVICES as DEVICES
    from vudissect.protocol.devices import device_by_name as device_by_name
    from vudissect.protocol.devices import feature_names as feature_names
    from vudissect.protocol.dialects import DIALECTS as DIALECTS
    from vudissect.protocol.dialects import dialect_by_name as dialect_by_name
    from vudissect.protocol.model import Channel as Channel
    from vudissect.protocol.model import Side as Side
    from vudissect.protocol.table import UPSTREAM as UPSTREAM
    from vudissect.proxy.beside import NotRecordedError as NotRecordedError
    from vudissect.proxy.beside import recording as recording
    from vudissect.session.event import ConnectionEvent as ConnectionEvent
    from vudissect.session.event import Event as Event
    from vudissect.session.event import Kind as Kind
    from vudissect.session.event import MessageEvent as MessageEvent
    from vudissect.session.state import State as State

__version__ = "0.2.0"

# Where each name is defined; `module:name` if it has another name there, `module:` for a module.
_HOMES = {
    "Analysis": "analysis",
    "Blame": "lint.finding",
    "CaptureError": "capture.errors",
    "Channel": "protocol.model",
    "ConnectionEvent": "session.event",
    "Conversation": "conversation.conversation",
    "ConversationError": "conversation.conversation",
    "DEVICES": "protocol.devices",
    "DIALECTS": "protocol.dialects",
    "Event": "session.event",
    "Filter": "filter",
    "FilterError": "filter",
    "Finding": "lint.finding",
    "Kind": "session.event",
    "Linted": "analysis",
    "MessageEvent": "session.event",
    "NotRecordedError": "proxy.beside",
    "Record": "capture.record",
    "RecordKind": "capture.record",
    "Severity": "lint.finding",
    "Side": "protocol.model",
    "State": "session.state",
    "TruncatedCapture": "capture.errors",
    "UPSTREAM": "protocol.table",
    "analyse": "analysis",
    "compile_filter": "filter",
    "compose": "conversation.text:read_conversation",
    "device_by_name": "protocol.devices",
    "dialect_by_name": "protocol.dialects",
    "feature_names": "protocol.devices",
    "findings": "analysis",
    "follow": "analysis",
    "read": "analysis",
    "recording": "proxy.beside",
    "replay": "replay:",
    "states": "analysis",
}

__all__ = [
    "DEVICES",
    "DIALECTS",
    "UPSTREAM",
    "Analysis",
    "Blame",
    "CaptureError",
    "Channel",
    "ConnectionEvent",
    "Conversation",
    "ConversationError",
    "Event",
    "Filter",
    "FilterError",
    "Finding",
    "Kind",
    "Linted",
    "MessageEvent",
    "NotRecordedError",
    "Record",
    "RecordKind",
    "Severity",
    "Side",
    "State",
    "TruncatedCapture",
    "analyse",
    "compile_filter",
    "compose",
    "device_by_name",
    "dialect_by_name",
    "feature_names",
    "findings",
    "follow",
    "read",
    "recording",
    "replay",
    "states",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'vudissect' has no attribute {name!r}")
    module, is_renamed, original = home.partition(":")
    found = import_module(f"vudissect.{module}")
    return found if is_renamed and not original else getattr(found, original or name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
