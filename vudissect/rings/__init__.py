"""Split and packed virtqueues in memory, from either side, and the requests of devices in them. No I/O."""
