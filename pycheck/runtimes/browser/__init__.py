"""Runs each runtime in one page of a browser: the server of the page, and the checks of its environment."""
