"""`python -m pycheck`, for whoever has no scripts folder on the path."""

from .cli.main import main

main()
