"""For tests of vhost-user programs: `assert_conforms`, and a plugin that pytest loads by itself.

Imports happen on first use: pytest loads the plugin wherever vudissect is installed.
"""

import os
from collections.abc import Iterable


def assert_conforms(capture: str | os.PathLike[str], ignore: Iterable[str] = (), strict: bool = False) -> None:
    """Fail with an `AssertionError` if `vudissect lint` finds errors in a capture, or with `strict` also warnings.

    `ignore` names rules that do not count (`VU-STA-01`). A capture that cannot be read fails as well.
    """
    __tracebackhide__ = True  # pytest then shows the caller
    from vudissect.testing.conformity import complaint

    if text := complaint(os.fspath(capture), ignore, strict=strict):
        raise AssertionError(text)
