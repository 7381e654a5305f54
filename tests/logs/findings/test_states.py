"""Findings that single numbers make, and those that must not be made."""

import numpy as np
import pytest

from gradcheck.logs.findings.causes import advice_on
from gradcheck.logs.findings.finding import ERROR, NOTE
from gradcheck.logs.findings.sentences import sentence
from gradcheck.logs.findings.states import _quantiles

NAN, INF = float("nan"), float("inf")


def rows(steps=60, **columns):
    """Rows of a healthy run with further columns: numbers, or functions of the step."""
    noise = np.exp(0.2 * np.random.default_rng(0).standard_normal(steps)).tolist()
    return [
        {"step": step, "loss": 2 - step / 100, "grad_norm": noise[step]}
        | {name: value(step) if callable(value) else value for name, value in columns.items()}
        for step in range(steps)
    ]


def test_the_loss_is_named_before_the_gradient_it_takes_along(found):
    (one,) = found(rows(loss=lambda step: NAN if step > 40 else 1.0, grad_norm=lambda step: NAN if step > 40 else 1.0))
    assert sentence(one).startswith("the loss is not a number from step 41")
    assert one.numbers["rows"] == 19


def test_an_activation_is_named_before_the_loss_and_the_first_layer_first(found):
    broken = {f"activation_rms/{name}": lambda step, value=value: value if step == 30 else 1.0
              for name, value in (("a", 1.0), ("b", INF), ("c", INF))}  # fmt: skip
    (one,) = found(rows(loss=lambda step: NAN if step == 30 else 1 - step / 99, **broken))
    assert sentence(one).startswith("an activation is infinite")
    assert one.layers[0] == "b"


def test_a_gradient_is_infinite_first_where_it_is_nearest_to_the_loss(found):
    broken = {f"grad_norm/{name}": lambda step, value=value: value if step == 30 else 1.0
              for name, value in (("a", INF), ("b", INF), ("c", 1.0))}  # fmt: skip
    (one,) = found(rows(grad_norm=lambda step: INF if step == 30 else 1.0, **broken))
    assert one.layers == ("b", "a")
    assert sentence(one).startswith("the gradient is infinite at step 30, in this row only; ")


def test_an_overflow_of_a_dynamic_loss_scale_is_a_note(found):
    scaled = rows(200, loss_scale=lambda step: 65536.0 if step < 77 else 32768.0,
                  grad_norm=lambda step: INF if step == 77 else 1.0)  # fmt: skip
    (one,) = found(scaled)
    assert (one.kind, one.weight) == ("nonfinite", NOTE)
    (advice,) = advice_on(one.kind, one.signs)
    assert advice.startswith("nothing: ")
    (one,) = found([{name: value for name, value in row.items() if name != "loss_scale"} for row in scaled])
    assert one.weight == "error"


def test_updates_below_the_range_throughout_are_found_with_their_layers(found):
    (one,) = found(rows(**{"update_ratio/a": 1e-3, "update_ratio/b": 5e-6}))
    assert (one.kind, one.layers) == ("update-ratio", ("b",))
    assert "below 0.0001" in sentence(one)


def test_updates_above_the_range_are_found_with_their_layers(found):
    (one,) = found(rows(**{"update_ratio/a": 1e-3, "update_ratio/b": 0.5}))
    assert (one.kind, one.layers) == ("update-ratio", ("b",))
    assert "above 0.1" in sentence(one)


def test_layers_that_move_too_little_and_too_much_are_two_findings_with_the_advice_of_each(found):
    small, large = found(rows(**{"update_ratio/a": 5e-6, "update_ratio/b": 0.5}))
    advice = [advice_on(one.kind, one.signs) for one in (small, large)]
    assert [lines[0].split()[0] for lines in advice] == ["raise", "lower"]


def test_updates_that_get_small_at_the_end_of_a_schedule_are_no_finding(found):
    assert found(rows(**{"update_ratio/a": lambda step: 1e-3 * (60 - step) / 60 * 10 ** (-step / 20)})) == []


def test_updates_of_a_run_that_converged_long_ago_are_no_finding(found):
    shrinking = {
        "update_ratio/a": lambda step: 1e-3 * max(1e-4, 10 ** (-step / 4)),
        "loss": lambda step: 0.8**step + 0.1,
        "grad_norm": lambda step: 10 ** (-step / 8),
    }
    assert found(rows(200, **shrinking)) == []
    (one,) = found(rows(200, **(shrinking | {"update_ratio/b": 1e-6})))
    assert (one.kind, one.layers) == ("update-ratio", ("b",))


def test_updates_that_are_large_only_behind_convergence_are_no_finding(found):
    assert found(rows(**{"update_ratio/a": lambda step: 5e-5 if step < 40 else 1e-3,
                         "grad_norm": lambda step: 1.0 if step < 40 else 0.05})) == []  # fmt: skip


def test_a_gradient_that_is_mere_rounding_calls_for_no_other_learning_rate(found):
    small = {"update_ratio/conv.bias": 1e-8, "grad_norm/conv.bias": 1e-8, "grad_norm/conv.weight": 0.9}
    assert found(rows(**small)) == []
    (one,) = found(rows(**(small | {"grad_norm/conv.bias": 1e-4})))
    assert one.layers == ("conv.bias",)


@pytest.mark.parametrize("ratio", [5e-6, 0.5])
def test_a_bias_beside_its_weight_has_no_update_of_the_wrong_size(ratio, found):
    assert found(rows(**{"update_ratio/0.bias": ratio, "update_ratio/0.weight": 1e-3})) == []


@pytest.mark.parametrize(("small", "told"), [(4, False), (7, False), (8, True), (12, True)])
def test_updates_are_small_for_want_of_a_gradient_where_most_of_their_layers_vanish(small, told, found):
    gradients = {f"grad_norm/fc{layer}": 1e-5 if layer < 4 else 1.0 for layer in range(12)}
    updates = {f"update_ratio/fc{layer}": 1e-6 if layer < small else 1e-3 for layer in range(12)}
    assert [one.kind for one in found(rows(**gradients, **updates))] == ["vanishing", *["update-ratio"] * told]


def test_the_ratio_is_taken_from_two_norms_where_it_is_not_logged(found):
    (one,) = found(rows(**{"update_norm/a": 1e-6, "weight_norm/a": 10.0, "update_norm/b": 1.0}))
    assert one.layers == ("a",)
    assert one.numbers["update_ratio"] == pytest.approx(1e-7)


@pytest.mark.parametrize("nothing", [0.0, None])
def test_a_parameter_that_never_gets_a_gradient_is_found(nothing, found):
    (one,) = found(rows(**{"grad_norm/a": 1.0, "grad_norm/b": nothing, "grad_norm/c": 0.5}))
    assert (one.kind, one.layers) == ("no-gradient", ("b",))
    assert ("exactly-zero" in one.signs) is (nothing == 0)


def test_a_parameter_that_gets_one_now_and_then_is_no_finding(found):
    assert found(rows(**{"grad_norm/a": 1.0, "grad_norm/b": lambda step: float(step % 5 == 0)})) == []


def test_dead_units_are_found_at_the_end(found):
    (one,) = found(rows(**{"dead_fraction/a": 0.5, "dead_fraction/b": lambda step: min(1.0, step / 40)}))
    assert (one.kind, one.layers) == ("dead", ("b",))


def test_a_gradient_of_exactly_zero_is_found_without_layers(found):
    (one,) = found([{"step": step, "loss": 2.3, "grad_norm": 0.0} for step in range(30)])
    assert (one.kind, one.weight) == ("no-gradient", ERROR)


def test_first_layers_are_held_against_the_last_that_get_any_gradient(found):
    layers = {f"grad_norm/{layer}": lambda step, layer=layer: 10.0 ** (layer - 12) if step < 1 or layer == 12 else 0.0
              for layer in range(1, 13)}  # fmt: skip
    (one,) = found(rows(**layers))
    assert (one.kind, one.layers[0]) == ("vanishing", "1")
    assert sentence(one).endswith("the weakest nothing")


@pytest.mark.parametrize("late", [(), (50,), (38, 50)])
def test_a_layer_s_collapse_begins_where_it_fell_though_single_gradients_come_back(late, found):
    fallen = {"grad_norm/a": lambda step: 0.5 if step < 30 or step in late else 1e-9, "grad_norm/b": 0.9}
    (one,) = found(rows(**(fallen | {"loss": lambda step: 2.0 + (step >= 30)})))
    assert (one.kind, one.first_step, one.layers) == ("collapsed", 30, ("a",))


def test_layers_that_a_table_has_in_the_alphabet_s_order_are_taken_by_their_numbers(found):
    names = sorted(f"grad_norm/layer{layer}" for layer in range(12))
    layers = {name: 10.0 ** (int(name.removeprefix("grad_norm/layer")) / 2 - 6) for name in names}
    assert names[2] == "grad_norm/layer10"
    (one,) = found(rows(**layers))
    assert one.kind == "vanishing"
    assert one.layers == tuple(f"layer{layer}" for layer in range(4))


def test_one_parameter_with_a_tiny_gradient_among_many_is_no_finding(found):
    layers = {f"grad_norm/{layer}.bias": 1e-9 if layer == 3 else 1.0 for layer in range(12)}
    assert found(rows(**layers)) == []


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_a_log_too_short_to_say_anything_says_that_alone(count, found):
    (one,) = found(rows(6)[:count] if count else [{"step": 1, "loss": 1.0}])
    assert (one.kind, one.numbers["rows"]) == ("too-short", max(1, count))


def summed(batches, steps=60, every=1, noise=0.3):
    """Norms of gradients in 100 dimensions with a common direction: of each step's own, or of all so far added up."""
    draw = np.random.default_rng(0)
    own = draw.standard_normal((steps * every, 100)) * noise / 10 + np.eye(100)[0]
    norms = np.linalg.norm(np.cumsum(own, axis=0) if batches == "all" else own, axis=1)
    return [{"step": step, "loss": 3 - step / 100, "grad_norm": float(norms[step])} for step in range(0, steps, every)]


def test_gradients_that_are_added_up_show_in_a_norm_that_grows_as_the_steps_do(found):
    (one,) = found(summed("all"))
    assert (one.kind, one.weight) == ("not-zeroed", "warning")
    assert "all gradients" in sentence(one)


def test_a_norm_that_grows_otherwise_is_no_sum(found):
    assert found(summed("own")) == []
    growing = [row | {"grad_norm": 1.06 ** row["step"]} for row in summed("own")]
    assert "not-zeroed" not in {one.kind for one in found(growing)}
    later = [row | {"step": row["step"] + 5000} for row in summed("all")]
    assert "not-zeroed" not in {one.kind for one in found(later)}


def test_rows_that_all_have_one_step_have_no_course(found):
    assert all(one.kind != "not-zeroed" for one in found([{"step": 0, "grad_norm": 1.0}] * 40))


def test_quantiles_of_columns_that_lack_numbers_in_different_rows_are_those_of_each_alone():
    values = np.random.default_rng(0).standard_normal((40, 4))
    values[::2, 1], values[::2, 2], values[2:, 3] = NAN, INF, NAN
    alone = [np.quantile(column[np.isfinite(column)], 0.9) for column in values.T[:3]]
    np.testing.assert_array_equal(_quantiles(values, 0.9), [*alone, NAN])
