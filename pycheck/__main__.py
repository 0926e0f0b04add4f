"""`python -m pycheck`, for users without a scripts folder on the path."""

from .cli.main import main

main()
