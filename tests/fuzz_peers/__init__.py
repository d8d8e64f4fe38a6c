"""The fuzzer for back-ends; tests/fuzz is about our own readers."""
