"""The preferences of Firefox: WebGL without a GPU, and no connections except to the page's server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

Preference = bool | int | str

#: Firefox on Linux requires a known GPU; these settings allow software rendering.
_DRAWING: Mapping[str, Preference] = {
    "webgl.force-enabled": True,
    "gfx.x11-egl.force-enabled": True,
    # The exact name of the renderer, instead of "llvmpipe, or similar".
    "webgl.sanitize-unmasked-renderer": False,
}
#: A proxy that does not exist for every address except the loopback's, and no name resolution: no request leaves the
#: machine. The other settings only prevent attempts.
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
#: Settings for a faster start without questions.
_PLAIN: Mapping[str, Preference] = {
    "browser.aboutwelcome.enabled": False,
    "browser.newtab.preload": False,
    "browser.newtabpage.enabled": False,
    "browser.sessionstore.resume_from_crash": False,
    "browser.sessionhistory.max_total_viewers": 0,  # do not keep pages that were left
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
    """Return all preferences; if WebGPU is not enabled by default, one of them enables it."""
    return {**_DRAWING, **_QUIET, **_PLAIN, **({"dom.webgpu.enabled": True} if webgpu else {})}


def write_profile(folder: Path, webgpu: bool) -> None:
    """Write a new profile with the preferences."""
    folder.mkdir()
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences(webgpu).items()]
    (folder / "user.js").write_text("".join(lines), encoding="utf-8")
