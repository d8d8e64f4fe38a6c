"""Checks values of a payload against the table."""

from collections.abc import Iterator

from vudissect.wire.codec import WireMessage


def undefined_choices(message: WireMessage) -> Iterator[str]:
    """The fields whose value is not one of their named values: `phase 3`."""
    for field, value in zip(message.layout.fields, message.values, strict=False):
        if field.choices and value not in field.choices:
            yield f"{field.name} {value}"
