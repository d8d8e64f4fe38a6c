"""`python -m vudissect.check.front_end.reference SOCKET`: the reference front-end as a program."""

import sys

from vudissect.check.front_end.reference.client import main

main(sys.argv[1:])
