"""Parts that all front ends share: one-line errors, reports on a row, and the context of a call."""
