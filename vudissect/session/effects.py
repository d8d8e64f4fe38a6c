"""What messages do to the state of a connection, one function for each `Effect` of the message table."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from vudissect.session.connection import Connection, Ring
from vudissect.session.memory import Region
from vudissect.session.names import NamedDescriptor
from vudissect.spec.effect import Effect

# Rings beyond this are not tracked: descriptors can be given for 256 only.
_MOST_RINGS = 256

Descriptors = tuple[NamedDescriptor, ...]
# Takes the connection, the payload by field and the descriptors; returns the name of a descriptor put out of use.
Apply = Callable[[Connection, Mapping[str, Any], Descriptors], str]


def _offer_features(connection: Connection, fields: Mapping[str, Any], _: Descriptors) -> str:
    connection.features.offered = fields["features"]
    connection.guess.see_features(fields["features"])
    return ""


def _ack_features(connection: Connection, fields: Mapping[str, Any], _: Descriptors) -> str:
    connection.features.acked = fields["features"]
    return ""


def _offer_protocol_features(connection: Connection, fields: Mapping[str, Any], _: Descriptors) -> str:
    connection.protocol_features.offered = fields["features"]
    return ""


def _ack_protocol_features(connection: Connection, fields: Mapping[str, Any], _: Descriptors) -> str:
    connection.protocol_features.acked = fields["features"]
    return ""


def _read_config(connection: Connection, fields: Mapping[str, Any], _: Descriptors) -> str:
    if fields.get("offset") == 0:
        connection.guess.see_config(fields["size"])
    return ""


def _replace_memory(connection: Connection, fields: Mapping[str, Any], descriptors: Descriptors) -> str:
    regions = fields["regions"]
    if connection.postcopy and not regions:
        return ""  # the message that ends the exchange of addresses, not an empty map
    names = [named.name for named in descriptors] + [""] * len(regions)
    connection.memory.replace(
        tuple(
            Region(
                number, region["guest_addr"], region["size"], region["user_addr"], region["mmap_offset"], names[number]
            )
            for number, region in enumerate(regions)
        )
    )
    return ""


def _add_memory(connection: Connection, fields: Mapping[str, Any], descriptors: Descriptors) -> str:
    if "guest_addr" in fields:
        name = descriptors[0].name if descriptors else ""
        connection.memory.add(fields["guest_addr"], fields["size"], fields["user_addr"], fields["mmap_offset"], name)
    return ""


def _remove_memory(connection: Connection, fields: Mapping[str, Any], _: Descriptors) -> str:
    region = connection.memory.remove(fields["guest_addr"], fields["size"], fields["user_addr"])
    return region.descriptor if region is not None else ""


def _set_ring_descriptor(effect: Effect) -> Apply:
    def apply(connection: Connection, fields: Mapping[str, Any], descriptors: Descriptors) -> str:
        ring = connection.rings.get(fields["index"])
        if ring is None:
            if len(connection.rings) >= _MOST_RINGS:
                return ""
            ring = connection.rings[fields["index"]] = Ring()
        new = descriptors[0].name if descriptors else ""
        old = ring.descriptors.get(effect, "")
        ring.descriptors[effect] = new
        return old if old != new else ""

    return apply


def _start_postcopy(connection: Connection, _fields: Mapping[str, Any], _: Descriptors) -> str:
    connection.postcopy = True
    return ""


def _end_postcopy(connection: Connection, _fields: Mapping[str, Any], _: Descriptors) -> str:
    connection.postcopy = False
    return ""


ON_REQUEST: Mapping[Effect, Apply] = MappingProxyType(
    {
        Effect.ACK_FEATURES: _ack_features,
        Effect.ACK_PROTOCOL_FEATURES: _ack_protocol_features,
        Effect.REPLACE_MEMORY: _replace_memory,
        Effect.ADD_MEMORY: _add_memory,
        Effect.REMOVE_MEMORY: _remove_memory,
        Effect.SET_KICK: _set_ring_descriptor(Effect.SET_KICK),
        Effect.SET_CALL: _set_ring_descriptor(Effect.SET_CALL),
        Effect.SET_ERR: _set_ring_descriptor(Effect.SET_ERR),
        Effect.START_POSTCOPY: _start_postcopy,
        Effect.END_POSTCOPY: _end_postcopy,
    }
)

ON_REPLY: Mapping[Effect, Apply] = MappingProxyType(
    {
        Effect.OFFER_FEATURES: _offer_features,
        Effect.OFFER_PROTOCOL_FEATURES: _offer_protocol_features,
        Effect.READ_CONFIG: _read_config,
    }
)
