"""`python -m vudissect.cli`."""

import sys

from vudissect.cli.main import main

# The name that people know it by, for what it says of errors.
sys.argv[0] = "vudissect"
main(prog_name="vudissect")
