"""What is wrong with a value for a message, and where: `SET_MEM_TABLE.regions[3].size: ...`."""

from typing import Any

_MOST_QUOTED = 80


class FieldError(ValueError):
    """A value that a field, array or layout cannot have; `path` is its place, starting with the message."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def quoted(value: Any) -> str:
    """A value for an error message: never long, whatever it is."""
    try:
        text = repr(value)
    except ValueError:  # a number with thousands of digits
        return f"a number of {value.bit_length()} bits" if isinstance(value, int) else "this value"
    return text if len(text) <= _MOST_QUOTED else f"{text[:_MOST_QUOTED]}…"
