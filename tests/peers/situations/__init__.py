"""What real programs do together, with a module for each family of devices.

Each class is a situation (see `situation`): it can start its back-end alone, its front-end alone, or both with
`vuproxy` between them. The tests check the result.
"""
