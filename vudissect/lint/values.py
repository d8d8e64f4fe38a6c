"""Values of a payload, held against what the table says of its fields."""

from collections.abc import Iterator

from vudissect.wire.codec import WireMessage


def undefined_choices(message: WireMessage) -> Iterator[str]:
    """The fields that have one of named values, but another one here: `phase 3`."""
    if message.layout is not None:
        for field, value in zip(message.layout.fields, message.values, strict=False):
            if field.choices and value not in field.choices:
                yield f"{field.name} {value}"
