"""pyshark 0.6 needs parts of asyncio that Python 3.14 no longer has."""

import sys

collect_ignore = ["test_pyshark.py"] if sys.version_info >= (3, 14) else []
