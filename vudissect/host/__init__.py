"""Linux: what a descriptor is, how to make one of the same kind, who the peer is. Nothing of the protocol."""
