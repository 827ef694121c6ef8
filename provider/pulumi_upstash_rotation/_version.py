"""The version of the distribution. The build reads it, and the User-Agent header contains it."""

__version__ = "0.1.0"
