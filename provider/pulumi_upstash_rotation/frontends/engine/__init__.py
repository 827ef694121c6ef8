"""What every front end needs from Pulumi's engine: one-line errors, lines on a row, a context."""
