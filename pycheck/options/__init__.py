"""The options of a run: one table, and everything that is derived from it."""
