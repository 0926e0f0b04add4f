"""The build hook: no wheel and no sdist without the built harness, which would install and then fail to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class HarnessHook(BuildHookInterface[Any]):
    """Looks, and builds nothing: the sdist carries the harness, and a build from it must not need Node."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Stop the build unless the harness is there; an editable install may come before it."""
        manifest = Path(self.root, "pycheck", "_harness", "manifest.json")
        if version != "editable" and not manifest.is_file():
            raise FileNotFoundError(f"{manifest} is not there: run `make build`, or `npm ci && npm run build` first")
