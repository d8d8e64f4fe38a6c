"""What rules remember of a connection: how to define it, and what several rules have."""

from dataclasses import MISSING, Field, field
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(field_specifiers=(field,))
def memory(kind: type[T]) -> type[T]:
    """Give a class an `__init__` for its fields, as `dataclass` does, in a twentieth of the time.

    There are dozens of these classes, and every program that checks a capture defines all of them when it starts.
    """
    names = (*getattr(kind, "_names", ()), *kind.__annotations__)
    factories = {**getattr(kind, "_factories", {})}
    for name in kind.__annotations__:
        default = vars(kind).get(name)
        if isinstance(default, Field) and default.default_factory is not MISSING:
            factories[name] = default.default_factory
            delattr(kind, name)

    def init(self: T, *values: Any, **named: Any) -> None:
        for name, make in factories.items():
            setattr(self, name, make())
        for name, value in (*zip(names, values, strict=False), *named.items()):
            setattr(self, name, value)

    for name, value in (("_names", names), ("_factories", factories), ("__init__", init)):
        setattr(kind, name, value)
    return kind


@memory
class LastFrame:
    """The frame of the last message that matters to the rule, 0 for none."""

    frame: int = 0


@memory
class FrameOfRing:
    """For each ring of the state, the frame of the last message that matters to the rule."""

    frames: dict[int, int] = field(default_factory=dict)
