"""The functions in Python that emitted modules are made of."""

from __future__ import annotations

DECODE = '''\
def decode(path):
    """Decode an image to RGB, {turned}{colors}, with transparent pixels {transparent}."""
    image = Image.open(path)
{lines}\
    return image.convert("RGB")
'''

UPRIGHT = """\
    image = ImageOps.exif_transpose(image)
"""
COLORS = """\
    profile = image.info.get("icc_profile")
"""
IN_SRGB = """\
    if profile:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        image = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
"""
BACKGROUND = """\
    if "A" in image.getbands() or "transparency" in image.info:
        below = Image.new("RGBA", image.size, ({level}, {level}, {level}, 255))
        image = Image.alpha_composite(below, image.convert("RGBA"))
    image = image.convert("RGB")
"""
BLACK_IF_INVISIBLE = """\
    if "A" in image.getbands() or "transparency" in image.info:
        pixels = np.array(image.convert("RGBA"))
        pixels[pixels[..., 3] == 0] = 0
        image = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
"""
PLAIN = """\
    image = image.convert("RGB")
"""

#: {kernel} is an expression of `distance`, in old pixels, and of `widening`; {center} the place of a new pixel.
WEIGHTS = '''\
def weights(size, start, length, first, end, wanted):
    """Return the share of each old pixel (columns) in each new one (rows)."""
    scale = length / wanted
    widening = {widening}
    center = ({center})[:, None]
    distance = np.arange(size) - center + 0.5
    made = {kernel}
    made = np.where((np.arange(size) >= first) & (np.arange(size) < end), made, 0.0)
    # A new pixel beyond the edge takes the pixel at the edge.
    edge = np.arange(size) == np.clip(np.floor(center), first, end - 1)
    made = np.where(np.abs(made.sum(axis=1, keepdims=True)) < 1e-9, edge, made)
    return made / made.sum(axis=1, keepdims=True)
'''
WEIGHTS_NEAREST = '''\
def weights(size, start, length, first, end, wanted):
    """Return the share of each old pixel (columns) in each new one (rows): that of the nearest is 1."""
    scale = length / wanted
    center = ({center})[:, None]
    return 1.0 * (np.arange(size) == np.clip(np.floor(center - {shift} + 1e-6), first, end - 1))
'''
RESIZE = '''\
def resize(pixels, down, across):
    """Resize pixels (rows, columns, 3): columns first, then rows."""
    narrow = np.einsum("xk,ykc->yxc", across, pixels, optimize=True)
    return np.einsum("yk,kxc->yxc", down, narrow, optimize=True)
'''

CUBIC = '''\
def cubic(distance, a):
    """Return the weights of bicubic interpolation (Keys, 1981)."""
    x = np.abs(distance)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
'''
SIXTEENTHS = '''\
def skia(scale, wanted):
    """Return the places of new pixels in old ones as a canvas computes them: float32 decides ties."""
    inverse = np.float32(1) / np.float32(1 / scale)
    return (inverse * (np.arange(wanted, dtype=np.float32) + np.float32(0.5))).astype(np.float64)


def sixteenths(distance):
    """Return the weights of a canvas: bilinear interpolation, with the place between two pixels in 4 bits."""
    steps = np.floor(16 * np.where(distance > 0, 1 - distance, -distance) + 1e-9) / 16
    return np.where(np.abs(distance) < 1, np.where(distance > 0, steps, 1 - steps), 0.0)
'''
KERNELS = {
    "bilinear": "np.maximum(0.0, 1 - np.abs(distance) / widening)",
    "sixteenths": "sixteenths(distance)",
    "bicubic": "cubic(distance / widening, -0.5)",
    "sharp-bicubic": "cubic(distance / widening, -0.75)",
    "lanczos": (
        "np.where(np.abs(distance) < 3 * widening, "
        "np.sinc(distance / widening) * np.sinc(distance / widening / 3), 0.0)"
    ),
    "area": ("np.maximum(0.0, np.minimum(distance + 0.5, widening / 2) - np.maximum(distance - 0.5, -widening / 2))"),
    "box": "1.0 * ((distance / widening > -0.5) & (distance / widening <= 0.5))",
}
CURVES = {
    "linear light": "np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)",
    "gamma 2.2": "x**2.2",
    "gamma 1/2.2": "x ** (1 / 2.2)",
}
