"""What is not supported, or what only one side has, is refused with the reason, before anything is loaded."""

from __future__ import annotations

import math

import pytest

from pycheck.errors import UsageError
from pycheck.training.formula import compile_formula, evaluate
from pycheck.training.recipe import LOSSES, OPTIMIZERS, Recipe, RecipeText, parse_loss, parse_optimizer, parse_penalty


def test_an_optimizer_is_read_with_its_arguments() -> None:
    optimizer = parse_optimizer("adam:0.01,beta_1=0.8,epsilon=1e-5")
    assert (optimizer.name, optimizer.learning_rate, optimizer.epsilon) == ("adam", 0.01, 1e-5)
    assert optimizer.settings == {"beta_1": 0.8, "beta_2": 0.999}
    assert str(optimizer) == "adam:0.01,beta_1=0.8,epsilon=1e-05"


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_of_both_sides_is_known_by_its_name(name: str) -> None:
    assert parse_optimizer(name).learning_rate > 0


@pytest.mark.real
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("adamw:0.1", "TF.js has no optimizer adamw"),
        ("adma:0.1", "unknown optimizer"),
        ("sgd:fast", "not a number"),
        ("sgd:0", "above 0"),
        ("sgd:nan", "NaN"),
        ("sgd:0.1,nesterov=1", "'nesterov'"),
        ("adagrad:0.1,epsilon=1e-7", "has no epsilon"),
    ],
)
def test_an_optimizer_that_one_side_lacks_or_that_is_wrong_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        parse_optimizer(text)


@pytest.mark.parametrize(("text", "name"), [("mse", "mean_squared_error"), ("meanSquaredError", "mean_squared_error")])
def test_a_loss_has_the_names_of_both_sides(text: str, name: str) -> None:
    assert parse_loss(text).name == name


@pytest.mark.real
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("huber", "TF.js has no loss huber"),
        ("msee", "unknown loss"),
        ("mse:from_logits", "only binary_crossentropy"),
        ("mean(y)", "does not use p"),
        ("mean(open(p))", "not supported"),
        ("mean(p", "is not a formula"),
        ("__import__('os').system(p)", "not supported"),
    ],
)
def test_a_loss_that_one_side_lacks_or_that_is_wrong_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        parse_loss(text)


def test_every_loss_of_tfjs_is_known() -> None:
    assert len(LOSSES) == 14
    assert all(parse_loss(theirs) == parse_loss(ours) for ours, theirs in LOSSES.items())


def test_a_formula_becomes_a_program_for_a_stack() -> None:
    assert compile_formula("mean(-y * log(p) + 1)") == ("y", "neg", "p", "log", "mul", "1.0", "add", "mean")


@pytest.mark.real
def test_a_formula_is_computed_as_it_is_written() -> None:
    import tensorflow as tf

    y, p = tf.constant([[1.0, 2.0]]), tf.constant([[0.5, 4.0]])
    value = evaluate(compile_formula("sum(square(y - p) / 2 + clip(p, 0, 1) ** 2)"), y, p)
    assert float(value[0, 0]) == pytest.approx((0.25 + 4) / 2 + 0.25 + 1)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"steps": 0}, "--steps 0"),
        ({"batch_size": 0}, "--batch-size 0"),
        ({"clipnorm": -1.0}, "--clipnorm -1"),
        ({"clipnorm": 1.0, "clipvalue": 1.0}, "one kind of gradient clipping"),
        ({"regularize": "l3:1"}, "l2:0.01"),
        ({"regularize": "l2:-1"}, "l2:0.01"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(given: dict[str, object], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        RecipeText(optimizer="sgd:0.1", loss="mse", **given).check()  # type: ignore[arg-type]


def test_a_penalty_is_read_as_l1_and_l2() -> None:
    assert parse_penalty("l2:0.01") == (0.0, 0.01)
    assert parse_penalty("l1:0.5,l2:0.25") == (0.5, 0.25)


def test_without_a_compiled_model_optimizer_and_loss_must_be_given() -> None:
    with pytest.raises(UsageError, match="--loss is missing"):
        RecipeText(optimizer="sgd:0.1").recipe()
    recipe = RecipeText(optimizer="sgd:0.1", loss="mse").recipe()
    assert isinstance(recipe, Recipe)
    assert not math.isnan(recipe.optimizer.learning_rate)
