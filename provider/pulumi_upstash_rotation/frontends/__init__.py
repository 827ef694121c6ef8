"""The only rooms that know Pulumi: they translate between an engine and the handlers."""
