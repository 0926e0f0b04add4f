"""What differs between two inputs of a sound, and what to change in the page; by code."""

from __future__ import annotations

SOUNDS = {
    "sample-rate-differs": (
        "the sound has a different sample rate",
        "Resample in the page to the rate of Python: context = new OfflineAudioContext(1, 1, 16000), and "
        "context.decodeAudioData(data) gives audio of that rate. Samples that are read without their rate "
        "make the sound slower or faster.",
    ),
    "resampler-differs": (
        "the sound is resampled by another method",
        "Decode at the file's own rate and resample with the same filter on both sides: --js-preprocess "
        "'waveform(rate=16000)' has the JavaScript of scipy.signal.resample_poly. Train with what the page "
        "has, or save the files at the rate of the model.",
    ),
    "audio-channels-differ": (
        "another channel, or another sum of channels, is used",
        "Mix in the page as in Python. For the mean: add audio.getChannelData(n)[k] / audio.numberOfChannels "
        "over all channels n. getChannelData(0) alone is the left channel.",
    ),
    "audio-position-differs": (
        "another part of the sound is used, or zeros are on another side",
        "Crop and pad in the page as in Python. For the first samples with zeros at the end: const input = "
        "new Float32Array(count); input.set(samples.subarray(0, count)).",
    ),
    "audio-scale": (
        "the samples have a different scale",
        "decodeAudioData gives samples of -1 to 1. In Python, soundfile.read(path, dtype='float32') does so "
        "too, and scipy.io.wavfile.read gives integers: divide those of 16 bits by 32768. Scale by the peak, "
        "or subtract the mean, on both sides or on neither.",
    ),
    "window-differs": (
        "the frames are weighted by a different window, or have another FFT",
        "Give the same window in the page: tf.signal.stft(signal, window, hop, fft, tf.signal.hannWindow). "
        "scipy.signal's windows are symmetric unless get_window(name, length) makes them, TF.js's and "
        "librosa's are periodic. pycheck preprocess --emit js writes the whole spectrogram.",
    ),
    "frames-differ": (
        "the frames lie at different places",
        "Use the same hop and the same padding. librosa and torch.stft center the frames: they mirror, or add"
        " zeros for, half an FFT before the first sample. tf.signal.stft does not: call tf.mirrorPad(signal, "
        "[[fft / 2, fft / 2]], 'reflect') before it, or center=False in Python. pycheck preprocess --emit js "
        "writes the whole spectrogram.",
    ),
    "mel-differs": (
        "the mel bands are different",
        "Use the same matrix in the page: save that of Python as JSON, or let pycheck preprocess --emit js write "
        "the whole spectrogram. librosa has Slaney's scale and divides by the width of each band; TensorFlow "
        "and torchaudio have HTK's scale and do not divide.",
    ),
    "log-differs": (
        "the logarithm, or what is under it, is different",
        "Take the same logarithm in the page: tf.log is the natural one, log10 is tf.log(x).div(Math.LN10), "
        "and decibels of a power are tf.log(x).mul(10 / Math.LN10). Use magnitudes or powers (square()) and "
        "add the same number on both sides before the logarithm.",
    ),
    "spectrogram-scale": (
        "the spectrogram is scaled differently",
        "Scale in the page as in Python: values.sub(mean).div(deviation), with the numbers of the training "
        "data, or those of each spectrogram if Python takes these: const {mean, variance} = "
        "tf.moments(values).",
    ),
    "axes-transposed": (
        "time and frequency are on different axes",
        "Swap them in the page: values.transpose(). librosa and whisper have the frequencies first, "
        "tf.signal.stft the frames.",
    ),
}
