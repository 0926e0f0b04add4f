"""What the stages know of number types, by NumPy's names and bfloat16."""

from __future__ import annotations

#: Relative error of rounding to nearest.
UNIT_ROUNDOFF = {"bfloat16": 2.0**-9, "float16": 2.0**-11, "float32": 2.0**-24}


def is_exact(dtype: str) -> bool:
    """Whether values of this type are booleans or whole numbers."""
    return dtype == "bool" or dtype.lstrip("u").startswith("int")
