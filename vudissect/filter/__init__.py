"""The filter language: which events and findings to show, by the names of the protocol."""

from vudissect.filter.errors import FilterError
from vudissect.filter.language import Filter, all_of, any_of, compile_filter, message_filter
from vudissect.filter.narrow import Narrowed
from vudissect.filter.seen import Seen, never_held

__all__ = [
    "Filter",
    "FilterError",
    "Narrowed",
    "Seen",
    "all_of",
    "any_of",
    "compile_filter",
    "message_filter",
    "never_held",
]
