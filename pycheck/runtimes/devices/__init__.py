"""Phones and other computers on which a person has our page open, and how runs reach them.

`listener` is the process that the devices open; `link` is how every other process of pycheck reaches that one.
"""

from __future__ import annotations

from .device import Device, DeviceInfo
from .link import connected, is_listening
from .listener import Event, Invited, Joined, Left, Listener
