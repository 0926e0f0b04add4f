"""What devices are called."""

from __future__ import annotations

import pytest

from pycheck.errors import UsageError
from pycheck.options.reading import build
from pycheck.protocol import Arrived
from pycheck.runtimes.devices.naming import choose
from pycheck.types import RuntimeId

CHROME = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36"
)
SAMSUNG = "Mozilla/5.0 (Linux; Android 13; SM-S901B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0 Safari/537.36"
OLD = "Mozilla/5.0 (Linux; Android 8.0; Pixel 2 Build/OPD3) AppleWebKit/537.36 Chrome/62.0 Mobile Safari/537.36"
FIREFOX_PHONE = "Mozilla/5.0 (Android 14; Mobile; rv:130.0) Gecko/130.0 Firefox/130.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1"
IPAD = "Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) AppleWebKit/605.1.15 CriOS/120.0 Mobile/15E148 Safari/604.1"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15"
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0"


def arrived(user_agent: str, model: str | None = None) -> Arrived:
    return Arrived(user_agent, model, is_secure_context=model is not None)


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (CHROME, "android"),
        (SAMSUNG, "sm-s901b"),
        (OLD, "pixel-2"),
        (FIREFOX_PHONE, "android"),
        (IPHONE, "iphone"),
        (IPAD, "ipad"),
        (FIREFOX, "firefox-linux"),
        (SAFARI, "safari-mac"),
        (EDGE, "edge-windows"),
        ("something else", "browser"),
    ],
)
def test_a_device_is_called_what_its_browser_says_of_it(user_agent: str, name: str) -> None:
    assert choose(arrived(user_agent), (), ()) == name


def test_a_model_that_the_browser_tells_is_the_name() -> None:
    assert choose(arrived(CHROME, "Pixel 8 Pro"), (), ()) == "pixel-8-pro"


def test_two_devices_never_share_a_name() -> None:
    assert choose(arrived(IPHONE), (), ("iphone",)) == "iphone-2"
    assert choose(arrived(IPHONE), (), ("iphone", "iphone-2")) == "iphone-3"


def test_the_names_that_are_given_go_to_devices_in_their_order() -> None:
    assert choose(arrived(IPHONE), ("left", "right"), ()) == "left"
    assert choose(arrived(IPHONE), ("left", "right"), ("left",)) == "right"
    assert choose(arrived(IPHONE), ("left", "right"), ("left", "right")) == "iphone"


@pytest.mark.parametrize("kind", ["cpu", "wasm", "webgl", "webgl-f16", "webgpu"])
def test_a_device_has_the_kinds_that_browsers_have(kind: str) -> None:
    runtime = RuntimeId.parse(f"device:pixel-8:{kind}")
    assert (runtime.engine, runtime.kind, str(runtime)) == ("device:pixel-8", kind, f"device:pixel-8:{kind}")
    assert runtime.is_on_device


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("device:pixel", "write device:NAME:KIND"),
        ("device::webgl", "write device:NAME:KIND"),
        ("device:Pixel 8:webgl", "device:NAME:KIND"),
        ("device:pixel:float32", "cpu, wasm, webgl, webgl-f16, webgpu"),
        ("phone:pixel:webgl", "device:NAME"),
    ],
)
def test_what_is_no_runtime_of_a_device_is_told_with_what_would_be(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        build({"runtimes": [text]}, environ={})
    assert said in caught.value.message
    assert text not in caught.value.advice


def test_the_nearest_kind_of_a_device_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        build({"runtimes": ["device:pixel:webg"]}, environ={})
    assert caught.value.advice == "Did you mean device:pixel:webgl?"
