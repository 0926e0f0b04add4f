"""The recipes of docs/shards.md name every shard once, and merge the folders that they save."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from .blocks import ROOT, blocks_of, command_lines

PAGE = ROOT / "docs" / "shards.md"
#: Writes its own arguments, and the folder of its part, instead of checking.
STUB = """#!/bin/sh
echo "$@" >> "$CALLS"
for word; do last=$word; done
mkdir -p "$last" && echo part > "$last/part.jsonl"
exit 1
"""


def _recipe(name: str) -> Any:
    (found,) = [b.text for b in blocks_of(PAGE) if b.language == "yaml" and name in b.text]
    return yaml.safe_load(found)


def _calls(script: str, environment: list[dict[str, str]], folder: Path) -> list[str]:
    """The commands of pycheck that a shell runs with these variables; each of them fails, and saves its part."""
    stub = folder / "bin" / "pycheck"
    stub.parent.mkdir()
    stub.write_text(STUB)
    stub.chmod(0o755)
    path = {"PATH": f"{stub.parent}:{os.environ['PATH']}", "CALLS": str(folder / "calls")}
    for variables in environment:
        done = subprocess.run(["sh", "-c", script], cwd=folder, env={**path, **variables}, check=False)
        assert done.returncode in (0, 1)
    return (folder / "calls").read_text().splitlines()


@pytest.mark.real
def test_the_pods_of_a_job_have_the_shards_from_1_and_succeed_with_their_part(tmp_path: Path) -> None:
    spec = _recipe("completionMode")["spec"]
    container = spec["template"]["spec"]["containers"][0]
    assert container["command"] == ["sh", "-c"]
    pods = [{"JOB_COMPLETION_INDEX": str(index)} for index in range(spec["completions"])]
    calls = _calls(container["args"][0], pods, tmp_path)
    assert calls == [f"check --shard {k}/{len(pods)} --save-run parts/{k - 1}" for k in range(1, len(pods) + 1)]
    merged = " ".join(f"parts/{index}" for index in range(len(pods)))
    assert f"pycheck merge {merged}" in command_lines(PAGE)


@pytest.mark.real
def test_the_jobs_of_gitlab_have_the_shards_that_it_counts_from_1(tmp_path: Path) -> None:
    recipe = _recipe("CI_NODE_INDEX")
    count = recipe["shard"]["parallel"]
    jobs = [{"CI_NODE_INDEX": str(k), "CI_NODE_TOTAL": str(count)} for k in range(1, count + 1)]
    calls = _calls(recipe["shard"]["script"][0], jobs, tmp_path)
    assert calls == [f"check --shard {k}/{count} --save-run parts/{k}" for k in range(1, count + 1)]
    assert recipe["shard"]["allow_failure"] and recipe["shard"]["artifacts"]["when"] == "always"
    assert recipe["shard"]["artifacts"]["paths"] == ["parts/"]
    assert recipe["merge"]["script"][0].startswith("pycheck merge parts/*")


def test_the_matrix_of_github_has_every_shard_and_hands_each_part_to_merge() -> None:
    jobs = _recipe("fail-fast")["jobs"]
    shards = jobs["check"]["strategy"]["matrix"]["shard"]
    assert not jobs["check"]["strategy"]["fail-fast"] and jobs["merge"]["if"] == "always()"
    _, run, upload = jobs["check"]["steps"]
    (count,) = re.findall(r"--shard \$\{\{ matrix\.shard \}\}/(\d+)", run["with"]["args"])
    assert shards == list(range(1, int(count) + 1))
    (saved,) = re.findall(r"--save-run (\S+)", run["with"]["args"])
    assert (upload["if"], upload["with"]) == ("always()", {"name": "part-${{ matrix.shard }}", "path": saved})
    downloads = next(s["with"] for s in jobs["merge"]["steps"] if "download-artifact" in s.get("uses", ""))
    merges = next(s["run"] for s in jobs["merge"]["steps"] if "merge" in s.get("run", ""))
    assert downloads["pattern"] == "part-*" and f"merge {downloads['path']}/*" in merges
