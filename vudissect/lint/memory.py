"""Memories that several rules use."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class LastFrame:
    """The frame of the last message that matters to the rule, 0 for none."""

    frame: int = 0


@dataclass(slots=True)
class FrameOfRing:
    """For each ring of the state, the frame of the last message that matters to the rule."""

    frames: dict[int, int] = field(default_factory=dict)
