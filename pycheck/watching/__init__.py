"""Answers again when a file changes: what is watched, when it has changed, and the page that shows the answer."""
