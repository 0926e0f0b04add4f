"""What a machine needs to run pycheck: what is there, what is missing, and what installs it."""
