"""Why an export or a query cannot be done."""


class ExportError(Exception):
    """The text is one line with the remedy."""
