"""What Haiku draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import count
from typing import Any

import haiku as hk
import jax
import numpy as np
from jax import numpy as jnp

from frameworks import Array, Draw, Framework, zeros


def draws() -> Framework:
    """Return what is drawn."""
    keys = count()

    def drawn(build: Callable[[Any], Any], inputs: int) -> list[dict[str, Array]]:
        made = hk.transform(build).init(jax.random.key(next(keys)), jnp.zeros((1, inputs)))
        return [{name: np.asarray(part) for name, part in module.items()} for module in made.values()]

    def stepped(cell: Any, x: Any) -> Any:
        return cell(x, cell.initial_state(1))

    def dense(inputs: int, outputs: int) -> tuple[Array, ...]:
        (layer,) = drawn(lambda x: hk.Linear(outputs)(x), inputs)
        return layer["w"], layer["b"][None]

    def rnn(inputs: int, hidden: int) -> tuple[Array, ...]:
        own, other = drawn(lambda x: stepped(hk.VanillaRNN(hidden), x), inputs)
        return own["w"], own["b"][None], other["w"], other["b"][None]

    def lstm(inputs: int, hidden: int) -> tuple[Array, ...]:
        (layer,) = drawn(lambda x: stepped(hk.LSTM(hidden), x), inputs)
        weight, (i, g, f, o) = layer["w"], layer["b"].reshape(4, hidden)
        return weight[:inputs], np.stack([i, f + added_to_forget_gate(), g, o]), weight[inputs:], zeros("lstm", hidden)

    def added_to_forget_gate() -> float:
        """Return what a step adds to the gate that keeps the memory: with all weights zero, c' = sigmoid(it) c."""

        def step(x: Any) -> Any:
            return hk.LSTM(1)(x, hk.LSTMState(jnp.zeros((1, 1)), jnp.ones((1, 1))))[1].cell

        run, x = hk.transform(step), jnp.zeros((1, 1))
        nothing = jax.tree.map(jnp.zeros_like, run.init(jax.random.key(0), x))
        kept = float(run.apply(nothing, None, x)[0, 0])
        return round(math.log(kept / (1 - kept)), 5)

    def gru(inputs: int, hidden: int) -> tuple[Array, ...]:
        (layer,) = drawn(lambda x: stepped(hk.GRU(hidden), x), inputs)
        return layer["w_i"], layer["b"].reshape(3, hidden), layer["w_h"], zeros("gru", hidden)

    def named(law: Any) -> Draw:
        return lambda n, m: (drawn(lambda x: hk.get_parameter("w", (n, m), init=law), 1)[0]["w"],)

    scaled = hk.initializers.VarianceScaling
    return Framework(dense, {"rnn": rnn, "lstm": lstm, "gru": gru}, named={
        "lecun_truncated": named(scaled()), "he_truncated": named(scaled(2.0)),
        "xavier_truncated": named(scaled(1.0, "fan_avg")), "orthogonal": named(hk.initializers.Orthogonal()),
        "truncated_normal 0.02": named(hk.initializers.TruncatedNormal(0.02)),
    })  # fmt: skip
