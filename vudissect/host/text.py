"""Text from outside, such as the names of files and programs, in which there may be anything."""


def escaped(text: str) -> str:
    """The text on one line, with all that is not printable as an escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
