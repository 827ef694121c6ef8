"""Upstash's Developer API: authentication, faults and limits; one module for each product."""
