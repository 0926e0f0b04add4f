"""Describes one change to the run that failed, as plain data and as options."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..options.values import Options
from ..types import RuntimeId


@dataclass(frozen=True, slots=True)
class Trial:
    """One change and the runtimes to run again; every setting that is empty or None stays as it was.

    `epsilons` by layer change the artifact only. `factors` by input multiply its values, and `limits` bound their
    magnitude; Python then runs on the same changed inputs. `anew` converts the model with pycheck instead of using a
    given artifact or the published converter. `keep_float` are weights without quantization, `allowed` absolute limits
    by output, and `batch_size` is the number of samples at a time. `map_output` pairs outputs of the artifact with
    those of the model.
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
        """Tell whether the artifact is converted, or its outputs are paired, differently."""
        other_weights = self.quantize is not None or self.keep_float
        return bool(self.anew or self.format is not None or other_weights or self.map_output)

    @property
    def changes_inputs(self) -> bool:
        """Tell whether Python has to run on different values."""
        return bool(self.factors or self.limits)

    @property
    def recomputes(self) -> bool:
        """Tell whether Python has to run again, on different values or in different batches."""
        return self.changes_inputs or self.batch_size is not None

    def options(self, given: Options) -> Options:
        """Return the options of the failed run with this change."""
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
