"""Describes one change to the run that failed, as plain data and as options."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..options.values import Options
from ..types import RuntimeId


@dataclass(frozen=True, slots=True)
class Trial:
    """What to run again, and what to change: everything that is empty or None stays as it was.

    `epsilons` by layer are for the artifact alone. `factors` by input multiply its values, `limits` bound their
    magnitude; Python then computes on the same changed inputs. `anew` takes pycheck's own conversion of the model
    in place of an artifact that was handed over or is the published converter's. `keep_float` are weights that are
    not quantized, `allowed` absolute limits by output; `batch_size` is how many samples at a time. `map_output`
    pairs outputs of the artifact with those of the model.
    """

    runtimes: tuple[RuntimeId, ...]
    flags: tuple[tuple[str, str], ...] = ()
    cpu_kernels: tuple[str, ...] = ()
    format: str | None = None
    quantize: str | None = None
    keep_float: tuple[str, ...] = ()
    allowed: tuple[tuple[str, float], ...] = ()
    batch_size: int | None = None
    anew: bool = False
    map_output: tuple[tuple[str, str], ...] = ()
    epsilons: tuple[tuple[str, float], ...] = ()
    factors: tuple[tuple[str, float], ...] = ()
    limits: tuple[tuple[str, float], ...] = ()

    @property
    def converts(self) -> bool:
        """Whether the artifact is converted, or its outputs are paired, in another way."""
        other_weights = self.quantize is not None or self.keep_float
        return bool(self.anew or self.format is not None or other_weights or self.map_output)

    @property
    def changes_inputs(self) -> bool:
        """Whether Python has to compute on other values."""
        return bool(self.factors or self.limits)

    @property
    def recomputes(self) -> bool:
        """Whether Python has to compute again, on other values or in other batches."""
        return self.changes_inputs or self.batch_size is not None

    def options(self, given: Options) -> Options:
        """The options of the run that failed, with what they say of this change."""
        return replace(
            given,
            runtimes=self.runtimes,
            flags=(*given.flags, *self.flags),
            cpu_kernels=(*given.cpu_kernels, *self.cpu_kernels),
            format=self.format or given.format,
            converter="pycheck" if self.anew else given.converter,
            quantize=self.quantize or given.quantize,
            keep_float=(*given.keep_float, *self.keep_float),
            tfjs_model=None if self.anew else given.tfjs_model,
            map_output=() if self.anew else (*given.map_output, *self.map_output),
            batch_size=self.batch_size or given.batch_size,
            atol={**given.atol, **dict(self.allowed)},
            save_run=None,
            trace=False,
            layers=(),
            try_remedies=False,
            power=False,
        )
