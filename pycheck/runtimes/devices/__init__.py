"""Phones and other computers on which a person has opened pycheck's page, and the connection to runs.

`listener` is the process that the devices connect to; `link` is the connection of other pycheck processes to it.
"""

from __future__ import annotations

from .device import Device, DeviceInfo
from .link import connected, is_listening, public_url
from .listener import Event, Invited, Joined, Left, Listener, Published
