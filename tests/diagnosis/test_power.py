"""What the findings about weak comparisons say, of made-up measurements."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from pycheck.diagnosis import diagnose
from pycheck.types import (
    DeadChannels,
    Finding,
    ModelInfo,
    Power,
    PowerShare,
    RuntimeId,
    Signature,
    TableReach,
    TensorSpec,
    WeightPower,
)

Find = Callable[..., dict[str, list[Finding]]]


def _model(*, samples: bool) -> ModelInfo:
    """A model of one input and one output, with a sample axis or without."""
    spec = TensorSpec("y", "float32", (None, 1) if samples else (1,), has_sample_axis=samples)
    return ModelInfo("m", "keras", "", Signature((spec,), (spec,)))


@pytest.mark.parametrize("samples", [True, False])
def test_more_samples_are_advised_for_outputs_that_have_samples(samples: bool, find: Find) -> None:
    reference = np.array([[0.3]])
    alike = {"chromium:cpu": reference.astype(np.float32)}
    (loose,) = find(reference, alike, model=_model(samples=samples))["loose-limit"]
    assert ("samples" in loose.advice) == samples
    assert "--atol y:X" in loose.advice


def _blind(*channels: DeadChannels, weights: Sequence[WeightPower] = ()) -> Finding:
    (found,) = diagnose((), power=Power(0.01, 4, tuple(weights), channels=channels))
    return found


def test_a_few_dead_channels_are_an_information_and_many_are_shortened() -> None:
    few = _blind(DeadChannels("conv/Relu", "conv", 64, (7,), 32))
    assert few.severity == "info" and few.layer == "conv"
    assert "1 of the 64 channels of conv (channel 7 is 0 in all 32 samples)" in few.summary
    assert "dead ReLU" in few.advice
    many = _blind(DeadChannels("r", None, 64, tuple(range(20)), 1))
    assert (
        "20 of the 64 channels of r (channels 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 8 more are 0 in 1 sample)"
        in (many.summary)
    )
    assert many.evidence["channels"]["r"]["dead"] == list(range(20))


def test_the_channels_of_a_layer_that_is_named_whole_are_not_named_again() -> None:
    dead = WeightPower("dead/kernel", "dead", (4, 8), "perturbed", False)
    seen = WeightPower("seen/kernel", "seen", (4, 8), "perturbed", True)
    channels = [DeadChannels(f"{name}/Relu", name, 2, (0, 1), 32) for name in ("dead", "relu")]
    found = _blind(*channels, weights=[dead, seen])
    assert found.summary.startswith(
        "The inputs do not reach the layer dead and any of the 2 channels of relu (0 in all 32 samples)."
    )


@pytest.mark.parametrize("samples", [True, False])
def test_more_samples_are_advised_for_inputs_that_have_samples(samples: bool) -> None:
    power = Power(0.01, 1, (), tables=(TableReach("table", "table", 500, 40, 1),))
    (blind,) = diagnose((), power=power, model=_model(samples=samples))
    assert ("samples" in blind.advice) == samples


def test_channels_of_one_outer_layer_are_told_apart_by_their_nodes() -> None:
    names = ("m/inner/block_1/Relu6", "m/inner/block_2/Relu6")
    found = _blind(*(DeadChannels(name, "inner", 4, (2,), 8) for name in names), DeadChannels("r", "relu", 4, (1,), 8))
    assert found.summary.startswith(
        "The inputs do not reach 1 of the 4 channels of m/inner/block_1/Relu6 (channel 2 is 0 in all 8 samples), "
        "1 of the 4 channels of m/inner/block_2/Relu6 (channel 2 is 0 in all 8 samples) and "
        "1 of the 4 channels of relu (channel 1 is 0 in all 8 samples). "
    )


def test_only_a_weak_runtime_in_float16_is_advised_to_compare_in_float32(find: Find) -> None:
    wasm, half = "chromium:wasm", "chromium:webgl-f16"
    same = {runtime: np.ones((4, 3), np.float32) for runtime in (wasm, half)}

    def advice(*weak: str) -> str:
        shares = tuple(PowerShare(RuntimeId.parse(r), 0 if r in weak else 3, 3) for r in same)
        (found,) = find(np.ones((4, 3)), same, power=Power(0.01, 1, (), shares=shares))["weak-comparison"]
        return found.advice

    assert f"The limits of {half} are wide" in advice(wasm, half)
    assert f"The limits of {half} are wide" in advice(half)
    assert "wide" not in advice(wasm)
