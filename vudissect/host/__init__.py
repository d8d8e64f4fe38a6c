"""Linux: what a descriptor is, how to make one of the same kind, where a peer is and who. No protocol."""
