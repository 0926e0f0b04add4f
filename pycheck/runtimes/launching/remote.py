"""Says that the model leaves this machine, before it does."""

from __future__ import annotations

import ipaddress
import sys
from urllib.parse import urlsplit

from ...errors import UsageError


def leaves_for(address: str | None, public_url: str | None) -> str | None:
    """Return where the model and the inputs go, if a browser at this address runs elsewhere; None if it runs here."""
    if public_url:
        return public_url
    host = urlsplit(address or "").hostname
    return None if host is None or _is_here(host) else host


def tell_that_model_leaves(place: str, *, allowed: bool) -> None:
    """Print a notice; UsageError if nobody is there to read it, and it was not allowed."""
    told = f"The model and the inputs leave this machine, for {place}."
    if not allowed and not sys.stderr.isatty():
        raise UsageError(told, "If they may, add --allow-remote.")
    print(f"pycheck: {told}", file=sys.stderr, flush=True)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
