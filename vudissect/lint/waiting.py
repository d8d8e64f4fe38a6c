"""Requests that nobody answered."""

from collections.abc import Iterator

from vudissect.lint.at import At
from vudissect.session.pairing import Request

# Who leaves sooner than this after asking did not wait for the answer.
_PATIENCE = 1_000_000_000


def waited_in_vain(at: At) -> Iterator[Request]:
    """Where a connection or channel ends: the owed requests that whoever asked did not give up at once."""
    for request in at.unanswered:
        waited = at.event.record.received - request.forwarded
        if left_by(at) != request.channel.initiator.label or waited >= _PATIENCE:
            yield request


def left_by(at: At) -> str:
    """Who closed the connection or channel: the label of a `Side`, "" where nobody did."""
    return str(at.event.record.details.get("by", ""))
