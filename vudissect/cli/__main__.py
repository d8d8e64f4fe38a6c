"""`python -m vudissect.cli`."""

from vudissect.cli.main import main

main(prog_name="vudissect")
