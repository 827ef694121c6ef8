"""The data of a database: a redis-server process, or none. This room knows nothing of Upstash."""
