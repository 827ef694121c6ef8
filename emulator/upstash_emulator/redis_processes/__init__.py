"""Processes that hold a database's data, without anything of Upstash."""
