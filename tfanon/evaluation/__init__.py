"""The evaluation of a finished run: what it attacks, what it reuses, its runner and its table."""
