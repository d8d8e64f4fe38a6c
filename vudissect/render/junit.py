"""JUnit reports, as CI servers read them: well-formed whatever is in the names."""

import re
from xml.etree import ElementTree

from vudissect.render.units import printable

# What printable text may have and XML may not.
_NOT_XML = re.compile("[\ufffe\uffff]")


def junit_bytes(root: ElementTree.Element) -> bytes:
    """The file of a report; all text in it is escaped, but that the text of elements keeps its lines."""
    for element in root.iter():
        for name, value in element.items():
            element.set(name, _escaped(value))
        if element.text:
            element.text = "\n".join(map(_escaped, element.text.split("\n")))
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _escaped(text: str) -> str:
    return _NOT_XML.sub(lambda match: f"\\u{ord(match.group()):04x}", printable(text))
