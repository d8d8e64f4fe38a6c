"""`python -m vudissect.cli`."""

import sys

from vudissect.cli.main import main

# The name in error messages.
sys.argv[0] = "vudissect"
main(prog_name="vudissect")
