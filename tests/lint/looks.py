"""Conversations in which a recorder looks into the rings."""

from typing import Any

from tests.conversation import MILLISECOND, Conversation, eventfd, memfd
from tests.lint import found, only
from tests.lint.opening import opened
from vudissect.capture.observation import Observation
from vudissect.capture.record import RecordKind
from vudissect.lint.finding import Blame, Finding, Severity
from vudissect.protocol.devices import device_by_name
from vudissect.protocol.model import Channel

BLK, NET = device_by_name("blk"), device_by_name("net")
SIZE = 128


def see(talk: Conversation, ring: int = 0, **seen: Any) -> None:
    talk.event(RecordKind.RING_OBSERVED, Channel.MAIN, 1, MILLISECOND, **Observation(ring, **seen).details)


def configured(base: int = 0, ring: int = 0, talk: Conversation | None = None) -> Conversation:
    """Memory and a ring that has everything but its kick descriptor."""
    talk = talk or opened()
    talk.front_end(
        "SET_MEM_TABLE",
        regions=[{"guest_addr": 0, "size": 1 << 28, "user_addr": 0x7F0000000000, "mmap_offset": 0}],
        descriptors=(memfd("ram", 1 << 28),),
    )
    talk.front_end("SET_VRING_NUM", index=ring, num=SIZE)
    talk.front_end("SET_VRING_BASE", index=ring, num=base)
    talk.front_end("SET_VRING_CALL", index=ring, descriptors=(eventfd(f"call{ring}"),))
    desc = 0x7F0000000000 + 0x4000 * ring
    talk.front_end("SET_VRING_ADDR", index=ring, flags=0, desc=desc, avail=desc + 0x1000, used=desc + 0x2000, log=0)
    return talk


def packed(*protocol_features: str, tables: bool = True) -> Conversation:
    """A connection on which packed rings are negotiated, and tables of descriptors if wanted."""
    features = ("PROTOCOL_FEATURES", "VERSION_1", "RING_PACKED", "EVENT_IDX", *(["INDIRECT_DESC"] if tables else []))
    return opened(*protocol_features, features=features)


def started(base: int = 0, ring: int = 0, talk: Conversation | None = None) -> Conversation:
    talk = configured(base, ring, talk)
    talk.front_end("SET_VRING_KICK", index=ring, descriptors=(eventfd(f"kick{ring}"),))
    return talk


def running(base: int = 0, ring: int = 0, talk: Conversation | None = None) -> Conversation:
    talk = started(base, ring, talk)
    talk.front_end("SET_VRING_ENABLE", index=ring, num=1)
    return talk


def with_in_flight_memory(base: int = 0, talk: Conversation | None = None) -> Conversation:
    """A ring that runs."""
    talk = configured(base, talk=talk or opened("INFLIGHT_SHMFD"))
    memory = {"mmap_size": 4096, "mmap_offset": 0, "num_queues": 1, "queue_size": SIZE}
    talk.front_end("SET_INFLIGHT_FD", **memory, descriptors=(memfd("inflight", 4096),))
    talk.front_end("SET_VRING_KICK", index=0, descriptors=(eventfd("kick0"),))
    return talk


def judged(talk: Conversation, rule: str) -> tuple[Severity, Blame, str]:
    finding = only(talk, rule, device=BLK)
    return finding.severity, finding.blame, finding.message


def accused(talk: Conversation, rule: str, device: Any = BLK) -> list[Finding]:
    return found(talk, rule, device=device)
