"""Upstash: account settings, the Developer API, databases, and the probe of a credential."""
