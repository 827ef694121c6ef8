"""The imitated Upstash without any HTTP: account, databases, faults and what was recorded."""
