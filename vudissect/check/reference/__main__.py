"""`python -m vudissect.check.reference SOCKET`: the reference back-end as a program."""

import sys

from vudissect.check.reference.server import main

main(sys.argv[1:])
