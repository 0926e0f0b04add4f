"""The functions in JavaScript that emitted modules for sounds are made of."""

from __future__ import annotations

DECODE = """\
/** Decodes a sound at the rate of the file, because each browser resamples in another way. */
async function decode(blob) {
  const data = await blob.arrayBuffer();
  const rate = fileRate(new Uint8Array(data));
  const audio = await new OfflineAudioContext(1, 1, rate).decodeAudioData(data);
  return {rate, channels: Array.from({length: audio.numberOfChannels}, (_, n) => audio.getChannelData(n))};
}
"""
FILE_RATE = """\
/** Returns the samples per second of a WAV, FLAC, OGG or MP3 file. */
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
"""

#: Several channels become one.
MIXED = {
    "mean of the channels": """\
/** Returns the mean of the channels. */
const mixed = (channels) => channels[0].map((_, n) => channels.reduce((sum, one) => sum + one[n], 0) / channels.length);
""",
    "sum of the channels": """\
/** Returns the sum of the channels. */
const mixed = (channels) => channels[0].map((_, n) => channels.reduce((sum, one) => sum + one[n], 0));
""",
    "left channel": """\
/** Returns the left channel. */
const mixed = (channels) => channels[0];
""",
    "right channel": """\
/** Returns the right channel. */
const mixed = (channels) => channels[Math.min(1, channels.length - 1)];
""",
}

RESAMPLED = {
    "band-limited": """\
/** Resamples as scipy.signal.resample_poly: a windowed sinc with a Kaiser window of beta 5. */
function resampled(samples, rate, wanted) {
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
""",
    "linear": """\
/** Resamples on the straight line between two samples. */
function resampled(samples, rate, wanted) {
  if (rate === wanted) return samples;
  return Float64Array.from({length: Math.floor((samples.length * wanted) / rate)}, (_, n) => {
    const place = n * (rate / wanted);
    const before = Math.floor(place);
    const after = Math.min(before + 1, samples.length - 1);
    return samples[before] + (samples[after] - samples[before]) * (place - before);
  });
}
""",
    "nearest": """\
/** Resamples by taking the sample before. */
function resampled(samples, rate, wanted) {
  if (rate === wanted) return samples;
  const count = Math.floor((samples.length * wanted) / rate);
  return Float64Array.from({length: count}, (_, n) => samples[Math.floor(n * (rate / wanted))]);
}
""",
}

#: {start}: the first sample that is taken, in terms of `free`; {remark} says it in words.
PLACED = """\
/** Returns SAMPLES samples: {remark}. */
function placed(signal) {{
  {free}return Float64Array.from({{length: SAMPLES}}, (_, n) => signal[{place}] ?? 0);
}}
"""
STARTS = {
    "start": "0",
    "center": "Math.floor(free / 2)",
    "end": "free",
    "start, zeros at the front": "Math.min(free, 0)",
    "start, zeros on both sides": "Math.min(Math.floor(free / 2), 0)",
    "center, zeros at the end": "Math.max(Math.floor(free / 2), 0)",
}

SPECTROGRAM = """\
/** Returns the spectrogram, FRAMES by BANDS{first}. */
function spectrogram(signal{rate}) {{
  const taper = Float64Array.from({{length: WINDOW}}, (_, n) => {taper});
{triangles}\
  const energies = new Float64Array(FRAMES * BANDS);
  for (let frame = 0; frame < FRAMES; frame++) {{
    const cut = new Float64Array(FFT); // zeros after the window
    for (let n = 0; n < WINDOW; n++) cut[n] = taper[n] * {at};
    const [real, imaginary] = fourier(cut);
{sums}\
  }}
{levels}\
}}
"""
SUMS_OF_BANDS = """\
    bands.forEach(({{first, weights}}, band) => {{
      let sum = 0;
      for (let n = 0; n < weights.length; n++) {{
        const [x, y] = [real[first + n], imaginary[first + n]];
        sum += weights[n] * {power};
      }}
      energies[{place}] = sum;
    }});
"""
SUMS_OF_FREQUENCIES = """\
    for (let band = 0; band < BANDS; band++) {{
      const [x, y] = [real[band], imaginary[band]];
      energies[{place}] = {power};
    }}
"""
FOURIER = """\
const COSINE = Float64Array.from({length: FFT}, (_, k) => Math.cos((2 * Math.PI * k) / FFT));
const SINE = Float64Array.from({length: FFT}, (_, k) => Math.sin((2 * Math.PI * k) / FFT));

/** Returns the real and imaginary parts of the Fourier transform of every `step`th sample, from `first` on. */
function fourier(samples, first = 0, step = 1) {
  const count = FFT / step;
  const [real, imaginary] = [new Float64Array(count), new Float64Array(count)];
  if (count % 2) {
    for (let k = 0; k < count; k++) {
      for (let n = 0; n < count; n++) {
        real[k] += samples[first + n * step] * COSINE[((k * n) % count) * step];
        imaginary[k] -= samples[first + n * step] * SINE[((k * n) % count) * step];
      }
    }
    return [real, imaginary];
  }
  const half = count / 2;
  const [even, odd] = [fourier(samples, first, 2 * step), fourier(samples, first + step, 2 * step)];
  for (let k = 0; k < half; k++) {
    const x = odd[0][k] * COSINE[k * step] + odd[1][k] * SINE[k * step];
    const y = odd[1][k] * COSINE[k * step] - odd[0][k] * SINE[k * step];
    [real[k], real[k + half]] = [even[0][k] + x, even[0][k] - x];
    [imaginary[k], imaginary[k + half]] = [even[1][k] + y, even[1][k] - y];
  }
  return [real, imaginary];
}
"""
MIRRORED = """\
/** Returns a sample of the signal, which is mirrored at both ends. */
function mirrored(signal, n) {
  const last = signal.length - 1;
  return signal[n < 0 ? -n : n <= last ? n : n <= last + FFT / 2 ? 2 * last - n : -1] ?? 0;
}
"""

TAPERS = {
    "hann": "0.5 - 0.5 * Math.cos(TURN)",
    "hamming": "0.54 - 0.46 * Math.cos(TURN)",
    "blackman": "0.42 - 0.5 * Math.cos(TURN) + 0.08 * Math.cos(2 * TURN)",
    "rectangular": "1",
    "bartlett": "1 - Math.abs(TURN / Math.PI - 1)",
    "sine": "Math.sin(((n + 0.5) * Math.PI) / WINDOW)",
}
MELS = {
    "htk": """\
// The mel scale of HTK.
const toMel = (hz) => 1127 * Math.log1p(hz / 700);
const toHz = (mel) => 700 * Math.expm1(mel / 1127);
""",
    "slaney": """\
// The mel scale of Slaney: straight up to 1000 Hz, and logarithmic above.
const toMel = (hz) => (hz < 1000 ? (hz * 3) / 200 : 15 + (27 * Math.log(hz / 1000)) / Math.log(6.4));
const toHz = (mel) => (mel < 15 ? (mel * 200) / 3 : 1000 * 6.4 ** ((mel - 15) / 27));
""",
}
TRIANGLES = """\
/** Returns for each band the first frequency of the FFT that counts, and the weights from there on. */
function triangles({rate}) {{
  const edge = (n) => toMel(FMIN) + (n * (toMel(FMAX) - toMel(FMIN))) / (BANDS + 1);
  return Array.from({{length: BANDS}}, (_, band) => {{
    const [low, middle, high] = [band, band + 1, band + 2].map({edge});
    const all = Array.from({{length: Math.floor(FFT / 2) + 1}}, (_, k) => {{
      const x = {place};
      {weight} Math.max(0, Math.min((x - low) / (middle - low), (high - x) / (high - middle)));
{norm}\
    }});
    const first = Math.max(0, all.findIndex((weight) => weight > 0));
    return {{first, weights: all.slice(first, all.findLastIndex((weight) => weight > 0) + 1)}};
  }});
}}
"""
#: Each band is divided by its width.
NORM = """\
      return (2 * weight) / (toHz(edge(band + 2)) - toHz(edge(band)));
"""

DECODING = """\
async function samples(blob, tf) {
  const {channels} = await decode(blob);
  return tf.stack(channels.map((channel) => tf.tensor1d(channel)), 1);
}
"""
