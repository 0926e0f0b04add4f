"""What a run can be told: one table of options, and what is read from it."""
