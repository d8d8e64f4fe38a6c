"""A back-end that is right in everything that the suite asks, with one fault for each case that can be switched on.

`server` is the process and `session` a connection. `device` and the parts that it lists know what each message does;
`vring` is a ring, and `models` has the device types with their requests. A fault has the id of the case that must
find it, and is where it would happen: `faults.has("RNG-57")` or `refuse("RNG-02", ...)`.
"""
