"""What is wrong with the text of a fault, and why a fault could not be injected."""


class FaultError(ValueError):
    """An invalid fault; its text has the column (from 1) and the remedy."""

    def __init__(self, column: int, text: str) -> None:
        super().__init__(f"column {column}: {text}")
        self.column = column
        self.reason = text


class ScenarioError(ValueError):
    """An invalid scenario; its text has the line and the column."""

    def __init__(self, line: int, error: FaultError) -> None:
        super().__init__(f"line {line}, {error}")


class ImpossibleError(Exception):
    """Why a fault cannot be injected here."""
