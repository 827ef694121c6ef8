"""The REST API of Redis databases, in front of their backends."""
