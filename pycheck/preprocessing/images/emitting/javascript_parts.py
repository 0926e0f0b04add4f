"""The functions in JavaScript that emitted modules are made of."""

from __future__ import annotations

#: {options} are those of createImageBitmap, {before} and {background} lines that some descriptions need.
DECODE = """\
async function decode(blob) {{
  const bitmap = await createImageBitmap({blob}{options});
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d', {{willReadFrequently: true}});
{background}\
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}}
"""

BACKGROUND = """\
  context.fillStyle = '{color}';
  context.fillRect(0, 0, canvas.width, canvas.height);
"""

#: Decodes an image whose transparent pixels keep their colors.
DECODE_STRAIGHT = """\
async function decode(blob) {{
  const bitmap = await createImageBitmap({blob});
  const {{width, height}} = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d', {{willReadFrequently: true}});
  context.drawImage(bitmap, 0, 0);
  const image = context.getImageData(0, 0, width, height);
  if (image.data.every((value, at) => at % 4 !== 3 || value === 255)) return image;
  return new ImageData(await straight({blob}, width, height), width, height);
}}

/** Returns the colors of transparent pixels, which a canvas forgets, and a texture of WebGL keeps. */
async function straight(blob, width, height) {{
  const image = new Image();
  image.src = URL.createObjectURL(blob);
  await image.decode();
  const gl = Object.assign(document.createElement('canvas'), {{width: 1, height: 1}}).getContext('webgl');
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, image);
  URL.revokeObjectURL(image.src);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
  const pixels = new Uint8Array(4 * width * height);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  gl.getExtension('WEBGL_lose_context')?.loseContext();
  return new Uint8ClampedArray(pixels.buffer).map((value, at) => (at % 4 === 3 ? 255 : value));
}}
"""

#: {what} is cut out of the file: {segments} of a JPEG, {chunks} of a PNG.
STRIPPED = """\
/** Cuts {what} out of a JPEG or PNG: browsers apply it, and Python does not. */
async function stripped(blob) {{
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const view = new DataView(bytes.buffer);
  const kept = [];
  let at = 0;
  const keep = (end, is_kept = true) => {{
    if (is_kept) kept.push(bytes.subarray(at, end));
    at = end;
  }};
  if (bytes.length > 4 && view.getUint16(0) === 0xffd8) {{
    keep(2);
    while (at + 4 < bytes.length && view.getUint16(at) !== 0xffda) {{
      keep(at + 2 + view.getUint16(at + 2), !{segments}.includes(view.getUint16(at)));
    }}
  }} else if (bytes.length > 8 && view.getUint32(0) === 0x89504e47) {{
    keep(8);
    while (at + 12 <= bytes.length) {{
      const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
      keep(at + 12 + view.getUint32(at), !{chunks}.includes(name));
    }}
  }}
  keep(bytes.length);
  // In one part: Firefox reads the kind of the file from the first.
  return new Blob([await new Blob(kept).arrayBuffer()], {{type: blob.type}});
}}
"""

#: {kernel} is a function of `distance`, in old pixels, and of `widening`; {center} the place of a new pixel.
TAPS = """\
/** Returns for each new pixel the first old one that it is made of, and their weights. */
function taps({{start, length, first, end, wanted}}) {{
  const scale = length / wanted;
  const widening = {widening};
  const reach = {reach};
  return Array.from({{length: wanted}}, (_, place) => {{
    const center = {center};
    const low = Math.max(first, Math.floor(center - reach + 0.5));
    const high = Math.min(end, Math.floor(center + reach + 0.5));
    const weights = [];
    for (let at = low; at < high; at++) {{
      const distance = at - center + 0.5;
      weights.push({kernel});
    }}
    const sum = weights.reduce((total, weight) => total + weight, 0);
    // A new pixel beyond the edge takes the pixel at the edge.
    if (Math.abs(sum) < 1e-9) return {{low: Math.min(Math.max(Math.floor(center), first), end - 1), weights: [1]}};
    return {{low, weights: weights.map((weight) => {normalized})}};
  }});
}}
"""

TAPS_NEAREST = """\
/** Returns for each new pixel the old one that it is a copy of, in the form of a weighted sum. */
function taps({{start, length, first, end, wanted}}) {{
  const scale = length / wanted;
  return Array.from({{length: wanted}}, (_, place) => {{
    const center = {center};
    return {{low: Math.min(Math.max(Math.floor(center - {shift} + 1e-6), first), end - 1), weights: [1]}};
  }});
}}
"""

#: {order} are lines about what Pillow does; {pixels} are the bytes of the image, or its light.
RESIZE = """\
/** Resizes an ImageData to float32 [rows, columns, 3]{remark}. */
function resize({{data, width, height}}, down, across) {{
  const [rows, columns] = [taps(down), taps(across)];
{order}\
  const narrow = along({pixels}, columns, height, [width * 4, 4], [columns.length * 3, 3]);
  return Float32Array.from(along(narrow, rows, columns.length, [3, columns.length * 3], [3, columns.length * 3]));
}}

/** Sums up along one axis for `count` lines; the strides of lines and of places are those of old and of new pixels. */
function along(data, taps, count, [line, place], [newLine, newPlace]) {{
  const made = new Float64Array(count * taps.length * 3);
  for (let at = 0; at < count; at++) {{
    taps.forEach(({{low, weights}}, wanted) => {{
      for (let channel = 0; channel < 3; channel++) {{
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k] * data[at * line + (low + k) * place + channel];
        made[at * newLine + wanted * newPlace + channel] = {round};
      }}
    }});
  }}
  return made;
}}
"""
ROWS_FIRST = """\
  // Pillow 13 resizes the rows first if the height shrinks by more than twice as many pixels as the width.
  const lost = ({length, first, end, wanted}) => Math.round(Math.max(end - first, length) * (1 - wanted / length));
  if (lost(down) > Math.max(0, 2 * lost(across))) {
    const low = along(data, rows, width, [4, width * 4], [3, width * 3]);
    return Float32Array.from(along(low, columns, rows.length, [width * 3, 3], [columns.length * 3, 3]));
  }
"""
CURVES = {
    "linear light": "x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4",
    "gamma 2.2": "x ** 2.2",
    "gamma 1/2.2": "x ** (1 / 2.2)",
}
CURVE = """\
// The light of each byte.
const levels = Float64Array.from({{length: 256}}, (_, byte) => {{
  const x = byte / 255;
  return 255 * ({curve});
}});
"""

#: Weight of an old pixel `at`, as a function of its distance.
KERNELS = {
    "bilinear": "Math.max(0, 1 - Math.abs(distance) * (1 / widening))",
    "sixteenths": "sixteenths(distance)",
    "bicubic": "cubic(distance * (1 / widening), -0.5)",
    "sharp-bicubic": "cubic(distance * (1 / widening), -0.75)",
    "lanczos": "lanczos(distance * (1 / widening))",
    "area": "Math.max(0, Math.min(distance + 0.5, widening / 2) - Math.max(distance - 0.5, -widening / 2))",
    "box": "distance * (1 / widening) > -0.5 && distance * (1 / widening) <= 0.5 ? 1 : 0",
}
REACHES = {
    "bilinear": "widening",
    "sixteenths": "widening",
    "bicubic": "2 * widening",
    "sharp-bicubic": "2 * widening",
    "lanczos": "3 * widening",
    "area": "widening / 2 + 0.5",
    "box": "widening / 2",
}
FUNCTIONS = {
    "sixteenths": """\
/** The weights of a canvas: bilinear interpolation, with the place between two pixels in 4 bits. */
function sixteenths(distance) {
  if (Math.abs(distance) >= 1) return 0;
  const steps = Math.floor(16 * (distance > 0 ? 1 - distance : -distance) + 1e-9) / 16;
  return distance > 0 ? steps : 1 - steps;
}
""",
    "cubic": """\
function cubic(distance, a) {
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}
""",
    "lanczos": """\
function lanczos(x) {
  const sinc = (value) => (value === 0 ? 1 : Math.sin(Math.PI * value) / (Math.PI * value));
  return Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
}
""",
}
