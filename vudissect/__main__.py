"""`python -m vudissect`: the `vudissect` command."""

import sys

from vudissect.cli.main import main

sys.argv[0] = "vudissect"
main(prog_name="vudissect")
