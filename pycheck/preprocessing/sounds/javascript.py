"""Writes the JavaScript of a recipe for sounds: plain code without TF.js, whose FFT is missing on some backends."""

from __future__ import annotations

import json

from ...types import Signature
from .recipes import Spectrogram, Waveform, made_for
from .spectra import LOGS

_MAIN = """\
export default async function (blob, tf) {
  const data = await blob.arrayBuffer();
  // A context with the rate of the file does not resample, which each browser does in another way.
  const context = new OfflineAudioContext(1, 1, fileRate(new Uint8Array(data)));
  const audio = await context.decodeAudioData(data);
  const mono = new Float32Array(audio.length); // the mean of the channels
  for (let channel = 0; channel < audio.numberOfChannels; channel++) {
    const samples = audio.getChannelData(channel);
    for (let n = 0; n < mono.length; n++) mono[n] += samples[n] / audio.numberOfChannels;
  }
  const signal = new Float32Array(SAMPLES); // the first ones, with zeros at the end of a short file
  signal.set(resample(mono, audio.sampleRate, RATE).subarray(0, SAMPLES));
"""
_WAVEFORM = """\
  return tf.tensor(signal, SHAPE);
}
"""
_SPECTROGRAM = """\
  return tf.tensor(spectrogram(signal), SHAPE);
}
"""
_FILE_RATE = """
// Samples per second of a WAV, FLAC, OGG or MP3 file.
function fileRate(bytes) {
  const view = new DataView(bytes.buffer);
  const text = (at, length) => String.fromCharCode(...bytes.subarray(at, at + length));
  if (text(0, 4) === 'fLaC') return view.getUint32(18) >>> 12;
  if (text(8, 4) === 'WAVE') {
    for (let at = 12; at + 16 <= bytes.length; at += 8 + view.getUint32(at + 4, true) + (bytes[at + 4] & 1)) {
      if (text(at, 4) === 'fmt ') return view.getUint32(at + 12, true);
    }
  }
  if (text(0, 4) === 'OggS') {
    const packet = 27 + bytes[26];
    if (text(packet, 8) === 'OpusHead') return 48000;
    if (text(packet + 1, 6) === 'vorbis') return view.getUint32(packet + 12, true);
    if (text(packet + 1, 4) === 'FLAC') return view.getUint32(packet + 27) >>> 12;
  }
  const size = (bytes[6] << 21) | (bytes[7] << 14) | (bytes[8] << 7) | bytes[9];
  for (let at = text(0, 3) === 'ID3' ? 10 + size : 0; at + 4 < bytes.length; at++) {
    const version = (bytes[at + 1] >> 3) & 3; // 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
    const index = (bytes[at + 2] >> 2) & 3;
    if (bytes[at] === 255 && bytes[at + 1] >= 224 && version !== 1 && index !== 3) {
      return [44100, 48000, 32000][index] / [4, 0, 2, 1][version];
    }
  }
  throw new Error('this is no WAV, FLAC, OGG or MP3 file');
}

// As scipy.signal.resample_poly: a windowed sinc with a Kaiser window of beta 5.
function resample(samples, rate, wanted) {
  if (rate === wanted) return samples;
  const divisor = ((a, b) => { while (b) [a, b] = [b, a % b]; return a; })(rate, wanted);
  const [up, down] = [wanted / divisor, rate / divisor];
  const widest = Math.max(up, down);
  const half = 10 * widest;
  const bessel = (x) => {
    let [sum, term] = [1, 1];
    for (let k = 1; k < 30; k++) sum += term *= (x / 2 / k) ** 2;
    return sum;
  };
  const filter = Float64Array.from({length: 2 * half + 1}, (_, k) => {
    const x = (Math.PI * (k - half)) / widest;
    return (k === half ? 1 : Math.sin(x) / x) * bessel(5 * Math.sqrt(1 - ((k - half) / half) ** 2));
  });
  const scale = up / filter.reduce((sum, value) => sum + value);
  return Float32Array.from({length: Math.ceil((samples.length * up) / down)}, (_, n) => {
    const center = n * down + half;
    const last = Math.min(samples.length - 1, Math.floor(center / up));
    let sum = 0;
    for (let k = Math.max(0, Math.ceil((center - 2 * half) / up)); k <= last; k++) {
      sum += samples[k] * filter[center - k * up];
    }
    return sum * scale;
  });
}
"""
_FRAMES = """
function spectrogram(signal) {
  const weights = windowOf(WINDOW);
$BANDS_OF  const made = new Float64Array(FRAMES * BANDS);
  const turn = Array.from({length: FFT}, (_, k) => (2 * Math.PI * k) / FFT);
  const [cosine, sine] = [turn.map(Math.cos), turn.map(Math.sin)];
  for (let frame = 0; frame < FRAMES; frame++) {
    const cut = weights.map((weight, n) => weight * at(signal, frame * HOP + START + n));
    const energies = Float64Array.from({length: Math.floor(FFT / 2) + 1}, (_, k) => {
      let [real, imaginary] = [0, 0];
      for (let n = 0; n < WINDOW; n++) {
        const phase = (k * n) % FFT;
        real += cut[n] * cosine[phase];
        imaginary -= cut[n] * sine[phase];
      }
      return $POWER_OF;
    });
    for (let band = 0; band < BANDS; band++) {
      made[$ORDER] = $SUM;
    }
  }
$LEVELS
}

"""
_AT = {
    "no": "const at = (signal, n) => signal[n] || 0;\n",
    "zeros": "const at = (signal, n) => signal[n] || 0; // zeros before the first sample\n",
    "reflect": """\
// The signal is mirrored at both ends.
const at = (signal, n) => signal[n < 0 ? -n : n < signal.length ? n : 2 * (signal.length - 1) - n] || 0;
""",
}
_TAPERS = {
    "hann": "0.5 - 0.5 * Math.cos(TURN)",
    "hamming": "0.54 - 0.46 * Math.cos(TURN)",
    "blackman": "0.42 - 0.5 * Math.cos(TURN) + 0.08 * Math.cos(2 * TURN)",
    "rectangular": "1",
    "bartlett": "1 - Math.abs(TURN / Math.PI - 1)",
    "sine": "Math.sin((n + 0.5) * Math.PI / length)",
}
_FORMULAS = {
    "htk": """
const toMel = (hz) => 1127 * Math.log1p(hz / 700); // HTK's scale
const toHz = (mel) => 700 * Math.expm1(mel / 1127);
""",
    "slaney": """
// Slaney's scale: straight up to 1000 Hz, and logarithmic above.
const toMel = (hz) => (hz < 1000 ? (hz * 3) / 200 : 15 + (27 * Math.log(hz / 1000)) / Math.log(6.4));
const toHz = (mel) => (mel < 15 ? (mel * 200) / 3 : 1000 * 6.4 ** ((mel - 15) / 27));
""",
}
_TRIANGLES = """
// The weight of each frequency of the FFT in each band.
function triangles() {
  const edge = (n) => toMel(FMIN) + (n * (toMel(FMAX) - toMel(FMIN))) / (BANDS + 1);
  return Array.from({length: BANDS}, (_, band) => {
    const [low, middle, high] = [band, band + 1, band + 2].map($EDGE);
    return Float64Array.from({length: Math.floor(FFT / 2) + 1}, (_, k) => {
      const x = $PLACE;
      return Math.max(0, Math.min((x - low) / (middle - low), (high - x) / (high - middle)))$NORM;
    });
  });
}
"""


def recipe_module(text: str, signature: Signature) -> str:
    """Return the module of a recipe for a model; its default export takes (blob, tf). UsageError as for `recipe`."""
    made = made_for(text, signature)
    waveform = made if isinstance(made, Waveform) else made.waveform
    constants: dict[str, object] = {"RATE": waveform.rate, "SAMPLES": waveform.count, "SHAPE": list(made.shape)}
    if isinstance(made, Waveform):
        code = _MAIN + _WAVEFORM + _FILE_RATE
    else:
        frames, bands = made.frames, made.bands
        constants |= {"WINDOW": frames.window, "HOP": frames.hop, "FFT": frames.fft, "START": frames.start}
        constants |= {"FRAMES": made.count, "BANDS": bands.count}
        if bands.scale != "linear":
            constants |= {"FMIN": bands.fmin, "FMAX": bands.fmax}
        code = _MAIN + _SPECTROGRAM + _FILE_RATE + _spectrogram(made)
    lines = [f"// {text}: the input of a sound, as pycheck's recipe makes it."]
    lines += [f"const {name} = {json.dumps(value)};" for name, value in constants.items()]
    return "\n".join(lines) + "\n\n" + code


def _spectrogram(made: Spectrogram) -> str:
    frames, bands = made.frames, made.bands
    is_linear = bands.scale == "linear"
    code = _filled(
        _FRAMES,
        BANDS_OF="" if is_linear else "  const bands = triangles();\n",
        LEVELS=_levels(made),
        POWER_OF="real ** 2 + imaginary ** 2" if made.levels.power == 2 else "Math.hypot(real, imaginary)",
        ORDER="band * FRAMES + frame" if made.frequencies_first else "frame * BANDS + band",
        SUM="energies[band]" if is_linear else "energies.reduce((sum, energy, k) => sum + energy * bands[band][k], 0)",
    )
    kind, _, symmetric = frames.taper.partition(", ")
    turn = f"(2 * Math.PI * n) / {'(length - 1)' if symmetric else 'length'}"
    weights = _TAPERS[kind].replace("TURN", f"({turn})" if "TURN /" in _TAPERS[kind] else turn)
    code += _AT[frames.center]
    code += f"const windowOf = (length) => Float64Array.from({{length}}, (_, n) => {weights});\n"
    if is_linear:
        return code
    place = "k * RATE / FFT"
    return (
        code
        + _FORMULAS["slaney" if bands.scale == "slaney" else "htk"]
        + _filled(
            _TRIANGLES,
            EDGE="edge" if bands.scale == "tf" else "(n) => toHz(edge(n))",
            PLACE=f"k ? toMel({place}) : -1" if bands.scale == "tf" else place,
            NORM=" * 2 / (toHz(edge(band + 2)) - toHz(edge(band)))" if bands.norm == "slaney" else "",
        )
    )


def _levels(made: Spectrogram) -> str:
    levels = made.levels
    value = "value"
    if levels.add:
        value += f" + {_number(levels.add)}"
    if levels.floor:
        value = f"Math.max({value}, {_number(levels.floor)})"
    if levels.log in ("10", "2", "e"):
        value = {"10": "Math.log10", "2": "Math.log2", "e": "Math.log"}[levels.log] + f"({value})"
    elif levels.log in LOGS and levels.log != "none":
        value = f"{20 if levels.power == 1 else 10} * Math.log10({value})"
    lines = [f"  const values = made.map((value) => {value});"]
    last = "value"
    if levels.top is not None:
        lines.append("  const largest = values.reduce((a, b) => Math.max(a, b));")
        last = f"Math.max(value, largest - {_number(levels.top)})"
    if levels.mean:
        last = f"{last} - {_number(levels.mean)}" if levels.mean > 0 else f"{last} + {_number(-levels.mean)}"
    if levels.deviation != 1:
        last = f"({last}) / {_number(levels.deviation)}"
    lines.append(f"  return Float32Array.from(values, (value) => {last});")
    return "\n".join(lines)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _filled(code: str, **values: object) -> str:
    for name, value in values.items():
        code = code.replace(f"${name}", str(value))
    return code
