"""The simulated Upstash without HTTP: account, databases, faults and recorded calls."""
