"""Checks what a machine needs to run pycheck, and installs what is missing."""
