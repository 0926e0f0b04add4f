"""A loss written as a formula, such as ``mean(-y * log(p))``: read once, computed alike by TensorFlow and by TF.js.

The formula is Python's expression syntax over ``y`` (the targets), ``p`` (the model's output), numbers and the
functions of `FUNCTIONS`. It becomes a program for a stack, a tuple of words, which the page's interpreter
(js_harness/src/formula.js) and `evaluate` execute with the one operation of the same name. ``mean``, ``sum`` and
``max`` are over the last axis, which they keep; the loss is the mean of what is left.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import UsageError

#: The number of arguments of each function.
FUNCTIONS: Mapping[str, int] = {
    "abs": 1, "clip": 3, "exp": 1, "expm1": 1, "log": 1, "log1p": 1, "max": 1, "maximum": 2, "mean": 1, "minimum": 2,
    "nan_to_zero": 1, "relu": 1, "sigmoid": 1, "softplus": 1, "sqrt": 1, "square": 1, "sum": 1, "tanh": 1,
}  # fmt: skip
_BINARY: Mapping[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow",
}  # fmt: skip
_ADVICE = f"Use only y, p, numbers, + - * / ** and {', '.join(FUNCTIONS)}: mean(-y * log(p))"


def is_formula(text: str) -> bool:
    """Tell whether a loss is a formula rather than a name."""
    return any(character in text for character in "(*/+ ")


def compile_formula(text: str) -> tuple[str, ...]:
    """Compile a formula to words for a stack. UsageError names the part that is not known."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"--loss {text!r} is not a formula: {getattr(error, 'msg', error)}.", _ADVICE) from error
    words: list[str] = []
    _emit(tree.body, words, text)
    if "p" not in words:
        raise UsageError(f"--loss {text!r} has no gradient: it does not use p, the model's output.", _ADVICE)
    return tuple(words)


def _emit(node: ast.expr, words: list[str], text: str) -> None:
    match node:
        case ast.Constant(value=bool() | int() | float() as value) if not isinstance(value, bool):
            if not math.isfinite(value):
                raise UsageError(f"--loss {text!r}: {value} is not a finite number.", _ADVICE)
            words.append(repr(float(value)))
        case ast.Name(id="y" | "p" as name):
            words.append(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _emit(operand, words, text)
            words.append("neg")
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _BINARY:
            _emit(left, words, text)
            _emit(right, words, text)
            words.append(_BINARY[type(operator)])
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if FUNCTIONS.get(name) == len(arguments):
            for argument in arguments:
                _emit(argument, words, text)
            words.append(name)
        case _:
            raise UsageError(f"--loss {text!r}: {ast.unparse(node)!r} is not supported.", _ADVICE)


def evaluate(words: tuple[str, ...], y: Any, p: Any, absolute: Callable[[Any], Any] | None = None) -> Any:
    """Compute a compiled formula from TensorFlow tensors, before it is reduced to one number.

    `absolute` replaces ``abs``, whose gradient at 0 differs in TF.js.
    """
    import tensorflow as tf

    last: Mapping[str, Callable[..., Any]] = {
        "mean": lambda x: tf.reduce_mean(x, -1, keepdims=True),
        "sum": lambda x: tf.reduce_sum(x, -1, keepdims=True),
        "max": lambda x: tf.reduce_max(x, -1, keepdims=True),
    }
    named: Mapping[str, Callable[..., Any]] = {
        "add": tf.add, "sub": tf.subtract, "mul": tf.multiply, "div": tf.divide, "pow": tf.pow, "neg": tf.negative,
        "abs": absolute or tf.abs, "clip": tf.clip_by_value, "exp": tf.exp, "expm1": tf.math.expm1, "log": tf.math.log,
        "log1p": tf.math.log1p, "maximum": tf.maximum, "minimum": tf.minimum, "relu": tf.nn.relu,
        "nan_to_zero": lambda x: tf.where(tf.math.is_nan(x), tf.zeros_like(x), x),
        "sigmoid": tf.sigmoid, "softplus": tf.nn.softplus, "sqrt": tf.sqrt, "square": tf.square, "tanh": tf.tanh,
        **last,
    }  # fmt: skip
    stack: list[Any] = []
    for word in words:
        if word in ("y", "p"):
            stack.append(y if word == "y" else p)
        elif word in named:
            count = FUNCTIONS.get(word, 1 if word == "neg" else 2)
            arguments = stack[-count:]
            del stack[-count:]
            stack.append(named[word](*arguments))
        else:
            stack.append(tf.constant(float(word), p.dtype))
    return stack.pop()
