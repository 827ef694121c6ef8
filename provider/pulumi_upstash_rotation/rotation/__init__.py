"""When and why a credential rotates, and the record of its rotations. Pure: no I/O, no clock."""
