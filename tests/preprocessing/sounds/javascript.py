"""Writes a pipeline for sounds as the JavaScript of an app: the decoder and resampler of the browser, and TF.js."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from .steps import Steps

_TAPERS = {"hann": (0.5, 0.5), "hamming": (0.54, 0.46), "boxcar": (1.0, 0.0)}

#: That of TF.js takes minutes on its backend for the CPU. This one is called with `size` constant, and a real signal.
_FFT = (
    "const turns = [...Array(size).keys()].map((k) => 2 * Math.PI * k / size);",
    "const cos = Float64Array.from(turns, Math.cos), sin = Float64Array.from(turns, Math.sin);",
    "const fft = (given, count, first, step, re, im, at) => {",
    "  const half = count / 2;",
    "  if (count % 2) {",
    "    for (let k = 0; k < count; k++) {",
    "      re[at + k] = im[at + k] = 0;",
    "      for (let n = 0; n < count; n++) {",
    "        const value = given[first + n * step], turn = (k * n) % count * step;",
    "        re[at + k] += value * cos[turn]; im[at + k] -= value * sin[turn];",
    "      }",
    "    }",
    "    return;",
    "  }",
    "  fft(given, half, first, 2 * step, re, im, at); fft(given, half, first + step, 2 * step, re, im, at + half);",
    "  for (let k = at; k < at + half; k++) {",
    "    const c = cos[(k - at) * step], s = sin[(k - at) * step], other = k + half;",
    "    const a = re[other] * c + im[other] * s, b = im[other] * c - re[other] * s;",
    "    re[other] = re[k] - a; im[other] = im[k] - b; re[k] += a; im[k] += b;",
    "  }",
    "};",
)


def javascript(steps: Steps, rates: Mapping[str, int]) -> str | None:
    """Return the function of an app that does the steps, `rates` by file name; None if this is not written."""
    if steps.resample == "skip":
        return None
    own = steps.resample != "filter"
    lines = [
        f"const rate = {f'{json.dumps(dict(rates))}[blob.name]' if own else steps.rate};",
        "const context = new OfflineAudioContext(1, 1, rate);",
        "const audio = await context.decodeAudioData(await blob.arrayBuffer());",
        "const all = [...Array(audio.numberOfChannels).keys()].map((n) => audio.getChannelData(n));",
        _channels(steps),
    ]
    if steps.resample == "linear":
        lines += [
            f"if (rate !== {steps.rate}) {{",
            f"  const step = rate / {steps.rate};",
            "  signal = Float32Array.from({length: Math.floor(signal.length / step)}, (_, n) => {",
            "    const k = Math.floor(n * step), part = n * step - k;",
            "    return signal[k] * (1 - part) + (signal[k + 1] ?? signal[k]) * part;",
            "  });",
            "}",
        ]
    count = steps.samples
    start = {"start": "0", "center": "Math.floor(free / 2)", "end": "free", "front": "Math.min(free, 0)"}[steps.place]
    lines += [
        f"const free = signal.length - {count}, start = {start} + {steps.shift};",
        f"let wave = Float32Array.from({{length: {count}}}, (_, n) => signal[n + start] ?? 0);",
    ]
    if steps.dc:
        lines += ["const mean = wave.reduce((a, b) => a + b) / wave.length;", "wave = wave.map((x) => x - mean);"]
    if steps.loudness == "peak":
        lines.append(
            "const peak = wave.reduce((a, b) => Math.max(a, Math.abs(b)), 0); wave = wave.map((x) => x / peak);"
        )
    if steps.loudness == "rms":
        lines.append(
            "const rms = Math.sqrt(wave.reduce((a, b) => a + b * b, 0) / wave.length); wave = wave.map((x) => x / rms);"
        )
    lines.append(f"wave = wave.map((x) => x * {steps.gain});")
    if steps.clip:
        lines.append(f"wave = wave.map((x) => Math.min({steps.clip}, Math.max(-{steps.clip}, x)));")
    lines += ["return tf.tidy(() => {", "let x = tf.tensor1d(wave);"]
    lines += _spectrogram(steps) if steps.frames else []
    body = "\n  ".join([*lines, "return x;", "});"])
    return f"async (blob, tf) => {{\n  {body}\n}}"


def _channels(steps: Steps) -> str:
    if steps.channels in ("left", "right"):
        return f"let signal = all[{0 if steps.channels == 'left' else 'all.length - 1'}];"
    divisor = "all.length" if steps.channels == "mean" else "1"
    return f"let signal = all[0].map((_, k) => all.reduce((sum, each) => sum + each[k], 0) / {divisor});"


def _spectrogram(steps: Steps) -> list[str]:
    lines = []
    if steps.center != "no":
        half = steps.fft // 2
        mirrored = f"tf.mirrorPad(x, [[{half}, {half}]], 'reflect')"
        lines.append(f"x = {mirrored if steps.center == 'reflect' else f'x.pad([[{half}, {half}]])'};")
        lines.append(f"x = x.slice({(steps.fft - steps.window) // 2});")
    kind, _, symmetric = steps.taper.partition(" ")
    a, b = _TAPERS[kind]
    turn = steps.window - bool(symmetric)
    lines += [
        f"const size = {steps.fft};",
        *_FFT,
        f"const taper = (n) => n < {steps.window} ? {a} - {b} * Math.cos(2 * Math.PI * n / {turn}) : 0;",
        f"const weights = Float64Array.from({{length: {steps.fft}}}, (_, n) => taper(n));",
        "const samples = x.dataSync();",
        "const re = new Float64Array(size), im = new Float64Array(size);",
        f"x = tf.tensor2d([...Array({steps.frames}).keys()].map((k) => {{",
        f"  fft(weights.map((w, n) => w && w * samples[k * {steps.hop} + n]), size, 0, 1, re, im, 0);",
        f"  return Array.from({{length: {steps.fft // 2 + 1}}}, (_, n) => Math.hypot(re[n], im[n]));",
        "}));",
    ]
    lines += ["x = x.square();"] if steps.power == 2 else []
    if steps.mel != "none":
        weights = steps.triangles()
        columns = [np.trim_zeros(column) for column in weights.T]
        firsts = [int(np.argmax(column > 0)) for column in weights.T]
        bands = [[first, [round(float(w), 9) for w in column]] for first, column in zip(firsts, columns, strict=True)]
        lines += [
            f"const mel = new Float32Array({weights.size});",
            f"const place = (k, i, band) => (k + i) * {steps.bands} + band;",
            f"const bands = {json.dumps(bands)};",
            "bands.forEach(([k, values], band) => values.forEach((w, i) => mel[place(k, i, band)] = w));",
            f"x = x.matMul(tf.tensor2d(mel, {list(weights.shape)}));",
        ]
    lines.append(f"x = x.slice([0, 0], [{steps.frames}, {steps.bands}]).add({steps.add}).maximum({steps.floor});")
    if steps.log != "none":
        scale = {
            "ln": "1",
            "log10": "1 / Math.LN10",
            "log2": "1 / Math.LN2",
            "dB": f"{(3 - steps.power) * 10} / Math.LN10",
        }
        lines.append(f"x = x.log().mul({scale[steps.log]});")
    lines += [f"x = x.maximum(x.max().sub({steps.top}));"] if steps.top else []
    lines += {
        "each": ["let {mean, variance} = tf.moments(x); x = x.sub(mean).div(variance.sqrt());"],
        "band": ["let {mean, variance} = tf.moments(x, 0); x = x.sub(mean).div(variance.sqrt());"],
        "range": ["x = x.sub(x.min()).div(x.max().sub(x.min()));"],
        "max": ["x = x.sub(x.max());"],
    }.get(steps.scaling, [f"x = x.sub({steps.mean}).div({steps.deviation});"])
    return [*lines, "x = x.transpose();"] if steps.first else lines
