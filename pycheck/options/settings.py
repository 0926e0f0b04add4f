"""Every setting of a run, and the keywords of each function. Written by docs/make_options.py."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from ..types import NanPolicy, RuntimeId, Shard
from ..types.by_input import Ranges, Sizes


@dataclass(frozen=True, slots=True)
class Settings:
    """Every option by name, with its default."""

    runtimes: tuple[RuntimeId, ...] = (
        RuntimeId(engine="chromium", kind="cpu"),
        RuntimeId(engine="chromium", kind="webgl"),
        RuntimeId(engine="chromium", kind="wasm"),
    )
    flags: tuple[tuple[str, str], ...] = ()
    batch_size: int = 32
    cpu_kernels: tuple[str, ...] = ()
    power: bool = True
    format: str = "auto"
    converter: str = "pycheck"
    quantize: str = "none"
    keep_float: tuple[str, ...] = ()
    tfjs_model: Path | None = None
    tflite_model: Path | None = None
    map_output: tuple[tuple[str, str], ...] = ()
    signature: str | None = None
    custom_objects: tuple[str, ...] = ()
    trust_model: bool = False
    preprocess: str | None = None
    js_preprocess: str | None = None
    postprocess: str | None = None
    js_postprocess: str | None = None
    samples: int = 32
    seed: int = 0
    range: Ranges = field(default_factory=dict)
    size: Sizes = field(default_factory=dict)
    rtol: Mapping[str | None, float] = field(default_factory=dict)
    atol: Mapping[str | None, float] = field(default_factory=dict)
    max_ulp: Mapping[str | None, float] = field(default_factory=dict)
    decisions_changed: float = 0.0
    box_overlap: float = 0.5
    nan: NanPolicy = NanPolicy.FAIL
    trace: bool = False
    layers: tuple[str, ...] = ()
    trace_samples: int | None = None
    trace_memory: int | None = None
    try_remedies: bool = False
    bundle: Path | None = None
    bundle_point: str | None = None
    model_explorer: Path | None = None
    timeout_s: float = 300.0
    headed: bool = False
    browser_path: tuple[tuple[str, Path], ...] = ()
    browser_args: tuple[tuple[str, str], ...] = ()
    connect: tuple[tuple[str, str], ...] = ()
    capabilities: tuple[tuple[str, Path], ...] = ()
    isolated: bool = False
    public_url: str | None = None
    public_port: int | None = None
    allow_remote: bool = False
    save_run: Path | None = None
    shard: Shard | None = None
    dask: str | None = None
    cache: bool = True
    fresh: bool = False
    recheck: float = 0.02
    cache_dir: Path | None = None


class RejudgeKeywords(TypedDict, total=False):
    """Keywords of `rejudge`."""

    rtol: float | Mapping[str, float] | None
    atol: float | Mapping[str, float] | None
    max_ulp: float | Mapping[str, float] | None
    decisions_changed: float | None
    nan: str | None


class ConvertKeywords(TypedDict, total=False):
    """Keywords of `convert`."""

    format: str | None
    converter: str | None
    quantize: str | None
    keep_float: str | Sequence[str] | None
    signature: str | None
    custom_objects: str | Sequence[str] | None
    trust_model: bool | None
    samples: int | None
    seed: int | None
    range: tuple[float, float] | Mapping[str, tuple[float, float]] | None
    size: int | Sequence[int] | Mapping[str, int | Sequence[int]] | None
    rtol: float | Mapping[str, float] | None
    atol: float | Mapping[str, float] | None
    max_ulp: float | Mapping[str, float] | None
    nan: str | None
    timeout_s: float | None
    headed: bool | None
    browser_path: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]] | None
    browser_args: str | Sequence[str] | None
    connect: Mapping[str, str] | None
    capabilities: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]] | None
    isolated: bool | None
    public_url: str | None
    public_port: int | None
    allow_remote: bool | None
    cache: bool | None


class BaselineKeywords(TypedDict, total=False):
    """Keywords of `update_baseline`."""

    runtimes: str | Sequence[str | RuntimeId] | None
    timeout_s: float | None
    headed: bool | None
    browser_path: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]] | None
    browser_args: str | Sequence[str] | None
    connect: Mapping[str, str] | None
    capabilities: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]] | None
    isolated: bool | None
    public_url: str | None
    public_port: int | None
    allow_remote: bool | None
    dask: str | None
    cache: bool | None
    fresh: bool | None
    recheck: float | None


class CheckKeywords(BaselineKeywords, total=False):
    """Keywords of `check`."""

    save_run: str | os.PathLike[str] | None
    shard: str | None


class GradientsKeywords(TypedDict, total=False):
    """Keywords of `gradients`."""

    runtimes: str | Sequence[str | RuntimeId] | None
    flags: Mapping[str, str | int | float | bool] | None
    batch_size: int | None
    signature: str | None
    custom_objects: str | Sequence[str] | None
    trust_model: bool | None
    nan: str | None
    timeout_s: float | None
    headed: bool | None
    browser_path: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]] | None
    browser_args: str | Sequence[str] | None
    connect: Mapping[str, str] | None
    capabilities: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]] | None
    isolated: bool | None
    public_url: str | None
    public_port: int | None
    allow_remote: bool | None
    cache: bool | None
    loss: str | None
    regularize: str | None


class TrainKeywords(GradientsKeywords, total=False):
    """Keywords of `train`."""

    try_remedies: bool | None
    optimizer: str | None
    steps: int | None
    clipnorm: float | None
    global_clipnorm: float | None
    clipvalue: float | None


class MigrateKeywords(TypedDict, total=False):
    """Keywords of `migrate`."""

    runtimes: str | Sequence[str | RuntimeId] | None
    flags: Mapping[str, str | int | float | bool] | None
    batch_size: int | None
    power: bool | None
    format: str | None
    converter: str | None
    tfjs_model: str | os.PathLike[str] | None
    map_output: Mapping[str, str | int | float | bool] | None
    signature: str | None
    custom_objects: str | Sequence[str] | None
    trust_model: bool | None
    preprocess: str | None
    samples: int | None
    seed: int | None
    range: tuple[float, float] | Mapping[str, tuple[float, float]] | None
    size: int | Sequence[int] | Mapping[str, int | Sequence[int]] | None
    rtol: float | Mapping[str, float] | None
    atol: float | Mapping[str, float] | None
    max_ulp: float | Mapping[str, float] | None
    nan: str | None
    timeout_s: float | None
    headed: bool | None
    browser_path: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]] | None
    browser_args: str | Sequence[str] | None
    connect: Mapping[str, str] | None
    capabilities: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]] | None
    isolated: bool | None
    public_url: str | None
    public_port: int | None
    allow_remote: bool | None
    cache: bool | None


class TraceKeywords(MigrateKeywords, total=False):
    """Keywords of `trace`."""

    cpu_kernels: str | Sequence[str] | None
    quantize: str | None
    keep_float: str | Sequence[str] | None
    tflite_model: str | os.PathLike[str] | None
    js_preprocess: str | None
    postprocess: str | None
    js_postprocess: str | None
    decisions_changed: float | None
    box_overlap: float | None
    layers: str | Sequence[str] | None
    trace_samples: int | None
    trace_memory: int | str | None
    try_remedies: bool | None
    bundle: str | os.PathLike[str] | None
    bundle_point: str | None
    model_explorer: str | os.PathLike[str] | None
    save_run: str | os.PathLike[str] | None


class CompareKeywords(MigrateKeywords, total=False):
    """Keywords of `compare`."""

    cpu_kernels: str | Sequence[str] | None
    quantize: str | None
    keep_float: str | Sequence[str] | None
    tflite_model: str | os.PathLike[str] | None
    js_preprocess: str | None
    postprocess: str | None
    js_postprocess: str | None
    decisions_changed: float | None
    box_overlap: float | None
    trace: bool | None
    layers: str | Sequence[str] | None
    trace_samples: int | None
    trace_memory: int | str | None
    try_remedies: bool | None
    save_run: str | os.PathLike[str] | None
    fresh: bool | None
    recheck: float | None
