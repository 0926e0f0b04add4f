"""The version, available without imports."""

__version__ = "0.1.0"
