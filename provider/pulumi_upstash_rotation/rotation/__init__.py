"""When and why a credential rotates, and what the state remembers of it. Pure: no I/O, no clock."""
