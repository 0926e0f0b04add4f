"""The command line: commands, what the terminal shows while they work, exit codes. No logic."""
