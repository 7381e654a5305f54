"""``simulate``: does this network's gradient survive from the last layer to the first, before any training?"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gradcheck.errors import OptionError
from gradcheck.experiment import Experiment
from gradcheck.remedies import suggest as suggestions
from gradcheck.report import Report, make_report
from gradcheck.weights import save_weights as write_weights

#: Multiplications of a forward pass up to which suggestions are simulated unasked.
A_MOMENT = 250e6


def simulate(
    *,
    arch: str = "mlp",
    depth: int | None = None,
    steps: int | None = None,
    width: int | tuple[int, ...] | None = None,
    activation: str | None = None,
    init: str | None = None,
    gain: float | None = None,
    recurrent_gain: float | None = None,
    forget_bias: float | None = None,
    weight_std: float | None = None,
    bias_std: float | None = None,
    norm: str = "none",
    residual: bool = False,
    residual_scale: float = 1.0,
    data: str | Path = "digits",
    labels: bool = False,
    batch_size: int = 64,
    shuffle: bool = True,
    weights: str | Path | None = None,
    save_weights: str | Path | None = None,
    layers: str = "auto",
    seed: int = 0,
    seeds: int = 1,
    dtype: str = "float64",
    vanish_below: float = 1e-3,
    explode_above: float = 1e3,
    max_span: float = 2.3,
    min_rank: float = 2.2,
    dead_above: float = 0.9,
    saturated_above: float = 0.9,
    suggest: bool | None = False,
    tick: Callable[[], None] | None = None,
) -> Report:
    """Pass one batch forward and its gradient back through a network, and say what became of it.

    Parameters
    ----------
    arch : str
        ``mlp``, a multilayer perceptron, or a recurrent network: ``rnn``, ``lstm``, ``gru``.
    depth : int, optional
        Hidden layers; 50 unless `width` or `weights` say otherwise.
    steps : int, optional
        Time steps of a recurrent network, which takes the place of depth: equal pieces that an example is cut into;
        as many as it has numbers unless given.
    width : int or tuple of int, optional
        Units of each hidden layer; 128.
    activation, init, norm : str
        Names as in ``gradcheck simulate --help``; `activation` is sigmoid, of recurrent networks tanh; `init` is
        xavier unless `weights` are given.
    gain, recurrent_gain, weight_std, bias_std : float, optional
        Factor of the initial standard deviation (1), and once more of the recurrent weights (1); that standard
        deviation itself, for init normal and uniform; standard deviation of the biases (0).
    forget_bias : float, optional
        Initial bias of the gate that keeps the memory of an lstm (1) or a gru (0).
    residual, residual_scale : bool, float
        Skip connections from the second hidden layer on, and the scale of what stands beside them.
    data : str or Path
        ``digits``, ``gaussian``, or a .npy, .npz or .csv file.
    labels : bool
        The last column of a .csv file holds the labels.
    batch_size, shuffle : int, bool
        Examples in the batch; whether they are taken after a shuffle.
    weights : str or Path, optional
        A .npz or .safetensors file whose matrices take the place of drawn ones.
    save_weights : str or Path, optional
        Write the drawn weights there as .npz.
    layers : str
        ``auto`` or ``dense``.
    seed, seeds : int
        First seed, number of draws.
    dtype : str
        ``float64`` or ``float32``.
    vanish_below, explode_above, max_span, min_rank, dead_above, saturated_above : float
        Limits of what is healthy, see ``gradcheck.Thresholds``.
    suggest : bool, optional
        Simulate single changes and report those that bring the network back; None: unless the network is so
        large that this would take more than a moment.
    tick : callable, optional
        Called for each layer that is made, as a sign of life.

    Returns
    -------
    Report

    Raises
    ------
    GradcheckError
        An option or a file isn't what it has to be; the message says what would be.
    """
    options = locals() | {"data": str(data)}
    experiment = Experiment.from_options(options)
    if save_weights is not None:
        _save(Path(save_weights), experiment)
    outcome = experiment.outcome(tick)
    if suggest is None:
        suggest = experiment.work <= A_MOMENT
    config = experiment.to_dict() | {"save_weights": save_weights and str(save_weights), "suggest": suggest}
    report = make_report("simulate", config, *outcome)
    if not suggest:
        return report
    return replace(report, suggestions=suggestions(experiment, outcome, tick))


def _save(path: Path, experiment: Experiment) -> None:
    """Write the weights that the only seed draws."""
    if experiment.maps:
        raise OptionError(
            "save_weights", f"writes drawn weights, but --weights {experiment.weights} gives them: drop one"
        )
    if experiment.run.seeds > 1:
        raise OptionError(
            "save_weights", f"writes one draw, but --seeds is {experiment.run.seeds}: use --seed N --seeds 1"
        )
    write_weights(path, experiment.drawn(experiment.run.seed))
