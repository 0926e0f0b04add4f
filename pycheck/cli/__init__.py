"""The command line: commands, terminal output while they run, exit codes. It contains no logic."""
