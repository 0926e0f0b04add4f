"""What Firefox is told: to draw in WebGL where it has no GPU, and to talk to nobody but the page's server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

Preference = bool | int | str

#: Firefox on Linux asks for a GPU that it knows; software that draws correctly will do.
_DRAWING: Mapping[str, Preference] = {
    "webgl.force-enabled": True,
    "gfx.x11-egl.force-enabled": True,
    # The true name of what draws, and not "llvmpipe, or similar".
    "webgl.sanitize-unmasked-renderer": False,
}
#: A dead end for every address but the loopback's, and no names at all: whatever else it may want to ask for,
#: nothing leaves the machine. The rest only keeps it from trying.
_QUIET: Mapping[str, Preference] = {
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.socks": "127.0.0.1",
    "network.proxy.socks_port": 9,
    "network.proxy.failover_direct": False,
    "network.proxy.allow_bypass": False,
    "network.dns.disabled": True,
    "network.dns.disablePrefetch": True,
    "network.prefetch-next": False,
    "network.predictor.enabled": False,
    "network.http.speculative-parallel-limit": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.normandy.enabled": False,
    "app.update.auto": False,
    "app.update.disabledForTesting": True,
    "app.shield.optoutstudies.enabled": False,
    "browser.contentblocking.introCount": 99,
    "browser.region.network.url": "",
    "browser.region.update.enabled": False,
    "browser.safebrowsing.blockedURIs.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.search.update": False,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.push.connection.enabled": False,
    "extensions.blocklist.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.update.enabled": False,
    "geo.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "privacy.trackingprotection.enabled": False,
    "services.settings.server": "data:,#",
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.server": "data:,",
    "toolkit.telemetry.unified": False,
}
#: Starts sooner and asks nothing of a person who is not there.
_PLAIN: Mapping[str, Preference] = {
    "browser.aboutwelcome.enabled": False,
    "browser.newtab.preload": False,
    "browser.newtabpage.enabled": False,
    "browser.sessionstore.resume_from_crash": False,
    "browser.sessionhistory.max_total_viewers": 0,  # a page that was left is gone
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.blankWindow": False,
    "browser.startup.firstrunSkipsHomepage": True,
    "browser.startup.homepage_override.mstone": "ignore",
    "browser.startup.page": 0,
    "browser.tabs.warnOnClose": False,
    "browser.warnOnQuit": False,
    "browser.tabs.remote.separatePrivilegedContentProcess": False,
    "browser.uitour.enabled": False,
    "browser.translations.enable": False,
    "browser.ml.enable": False,
    "devtools.console.stdout.content": True,
    "dom.ipc.reportProcessHangs": False,
    "dom.ipc.processPrelaunch.enabled": False,
    "dom.max_script_run_time": 0,
    "startup.homepage_welcome_url": "",
    "termsofuse.bypassNotification": True,
    "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "toolkit.startup.max_resumed_crashes": -1,
}


def preferences(webgpu: bool) -> Mapping[str, Preference]:
    """All of them; WebGPU is behind one of its own where it does not ship."""
    return {**_DRAWING, **_QUIET, **_PLAIN, **({"dom.webgpu.enabled": True} if webgpu else {})}


def write_profile(folder: Path, webgpu: bool) -> None:
    """A fresh profile that has the preferences."""
    folder.mkdir()
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences(webgpu).items()]
    (folder / "user.js").write_text("".join(lines), encoding="utf-8")
