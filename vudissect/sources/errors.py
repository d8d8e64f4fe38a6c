"""What makes a log useless as a source."""


class SourceError(ValueError):
    """A log that cannot become a capture; the text says why and what helps."""
