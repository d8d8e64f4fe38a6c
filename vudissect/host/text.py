"""External text, such as the names of files and programs, which may contain anything."""


def escaped(text: str) -> str:
    """The text on one line, with everything that is not printable escaped."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
