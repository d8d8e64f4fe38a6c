"""A summary for programs: one JSON object per capture, with names next to the raw numbers."""

import json
from collections.abc import Mapping
from typing import Any

from vudissect.protocol.devices import feature_names
from vudissect.render.units import unicode
from vudissect.session.pairing import Request
from vudissect.session.rings import Enabled, Ring, Started
from vudissect.session.state import Negotiation, State
from vudissect.summary.values import Answer, ConnectionSummary, End, Peer, Summary
from vudissect.summary.words import end_text, missing_texts, next_command, stall_text, verdict_text


def summary_json(summary: Summary) -> str:
    """One JSON object; keys are stable. What the capture does not show is null."""
    verdict, finding, missing = summary.verdict, summary.verdict.finding, summary.missing
    return json.dumps(
        {
            "file": unicode(summary.file),
            "verdict": verdict_text(summary),
            "outcome": verdict.outcome.name.lower(),
            "rule": finding.rule if finding is not None else None,
            "blame": finding.blame.value if finding is not None else None,
            "frame": finding.frame if finding is not None else None,
            "findings": [
                {
                    "rule": group.first.rule,
                    "severity": group.first.severity.value,
                    "blame": group.first.blame.value,
                    "message": group.first.message,
                    "frames": [each.frame for each in group.all],
                    "connection": group.first.connection,
                }
                for group in verdict.groups
            ],
            "usual_findings": verdict.usual,
            "withheld_findings": summary.withheld,
            "missing": {
                "cut": missing.cut or None,
                "gaps": missing.gaps,
                "messages": missing.messages,
                "beginnings": list(missing.beginnings),
                "texts": list(missing_texts(missing)),
            },
            "faults": {
                "injected": _counts(summary.faults.injected),
                "not_injected": _counts(summary.faults.missed),
                "text": unicode(summary.faults.text) or None,
            },
            "started": summary.started or None,
            "duration": summary.duration,
            "frames": summary.frames,
            "messages": summary.messages,
            "descriptors": summary.descriptors,
            "connections": summary.total,
            "shown": summary.shown.number if summary.shown is not None else None,
            "details": [_connection(connection) for connection in summary.connections],
            "stalled": unicode(stall_text(summary)) or None,
            "next": [unicode(argument) for argument in next_command(summary)],
        }
    )


def _counts(counter: Mapping[str, int]) -> dict[str, int]:
    return {unicode(action): count for action, count in counter.items()}


def _connection(connection: ConnectionSummary) -> dict[str, Any]:
    state = connection.state
    device = state.guess.device
    return {
        "connection": connection.number,
        "front_end": _peer(connection.front_end),
        "back_end": _peer(connection.back_end),
        "origin": unicode(connection.origin) or None,
        "device": device.name if device is not None else None,
        "device_guessed": device is not None and not state.guess.settled,
        "device_id": unicode(state.device_id) or None,
        "dialect": state.protocol.key,
        "phase": state.phase.value,
        "began": connection.began,
        "duration": connection.duration,
        "traffic": [
            {
                "channel": each.channel.label,
                "from": each.sender.label,
                "messages": each.messages,
                "descriptors": each.descriptors,
            }
            for each in connection.traffic
        ],
        "features": _word(state.features, lambda word: feature_names(device, word)),
        "protocol_features": _word(state.protocol_features, state.protocol.protocol_features.names),
        "queues": state.queues,
        "memory_slots": state.memory_slots,
        "memory": _memory(state),
        "rings": [_ring(state.rings[index]) for index in sorted(state.rings)],
        "stalled": _stall(connection),
        "slowest": [_answer(answer) for answer in connection.slowest],
        "end": _end(connection.end),
    }


def _peer(peer: Peer) -> dict[str, Any]:
    since = {"origin": peer.since.origin, "version": peer.since.version} if peer.since is not None else None
    return {
        "command": unicode(peer.command) or None,
        "executable": unicode(peer.executable) or None,
        "pid": peer.pid or None,
        "since": since,
        "newest_feature": peer.feature or None,
    }


def _word(word: Negotiation, names: Any) -> dict[str, Any]:
    return {
        "in_effect": list(names(word.acked)) if word.acked is not None else None,
        "unused": list(names(word.offered & ~(word.acked or 0))) if word.offered is not None else None,
        "offered": word.offered,
        "acknowledged": word.acked,
    }


def _memory(state: State) -> dict[str, Any]:
    regions = state.memory.regions
    return {
        "regions": len(regions),
        "size": sum(region.size for region in regions),
        "complete": state.knows_memory,
        "log": state.log.size if state.log is not None else None,
        "inflight": state.inflight.size if state.inflight is not None else None,
    }


def _ring(ring: Ring) -> dict[str, Any]:
    return {
        "index": ring.index,
        "started": ring.started is Started.STARTED,
        "enabled": ring.enabled is Enabled.ENABLED,
        "size": ring.size,
        "base": ring.base,
        "stopped_at": ring.stopped_at,
    }


def _stall(connection: ConnectionSummary) -> dict[str, Any] | None:
    stall = connection.stall
    if stall is None:
        return None
    return {
        "ring": stall.ring,
        "what": unicode(stall.what),
        "since": stall.since,
        "turn": stall.holder.name.lower(),
        "why": stall.why,
        "frame": stall.frame,
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "name": answer.name,
        "frame": answer.frame,
        "request_frame": answer.request,
        "from": answer.sender.label,
        "latency": answer.latency,
        "late": answer.late,
    }


def _end(end: End) -> dict[str, Any]:
    return {
        "by": end.by or None,
        "how": unicode(end.how) or None,
        "frame": end.frame or None,
        "last_frame": end.last.record.frame if end.last is not None else None,
        "last_name": end.last.name if end.last is not None else None,
        "after": end.after,
        "unanswered": [_request(request) for request in end.unanswered],
        "text": end_text(end),
    }


def _request(request: Request) -> dict[str, Any]:
    return {"channel": request.channel.label, "name": request.name, "frame": request.frame}
