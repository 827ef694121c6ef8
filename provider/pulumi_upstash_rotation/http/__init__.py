"""HTTP: requests, retries, the rate limit and TLS trust. This room knows no vendor."""
