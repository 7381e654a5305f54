"""``simulate``: does this network's gradient survive from the last layer to the first, before any training?"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from gradcheck.data.datasets import Dataset
from gradcheck.diagnosis.causes import Cause
from gradcheck.diagnosis.number_formats import Place, numbers_record
from gradcheck.diagnosis.report import Report
from gradcheck.diagnosis.reporting import make_report, with_numbers
from gradcheck.diagnosis.verdict import Diagnosis
from gradcheck.engine.pieces import ahead
from gradcheck.engine.shared_draws import SharedDraws, sharing
from gradcheck.errors import OptionError, finite
from gradcheck.families.weight_files import save_weights as write_weights
from gradcheck.flow.number_formats import Tally, cases_of
from gradcheck.mean_field.predicted import Prediction
from gradcheck.mean_field.unknown import Unknown
from gradcheck.simulation.expectation import expectation, predicted
from gradcheck.simulation.experiment import Experiment, Outcome
from gradcheck.spec.number_formats import USUAL_RATE, number_formats
from gradcheck.spec.options.option import rows, takes
from gradcheck.spec.options.simulation import SimulateOptions
from gradcheck.spec.probing import LOSS_SCALES

#: A column that varies so many times as much as a typical one drowns it.
COLUMNS_APART = 100.0


@takes(SimulateOptions)
def simulate(*, tick: Callable[[float], None] | None = None, **options: Unpack[SimulateOptions]) -> Report:
    """Pass one batch forward and its gradient back through a network, and report what happens to them.

    >>> report = gradcheck.simulate(depth=50, activation="tanh", init="lecun")
    >>> report.verdict.status, round(report.summary.gradient_span, 1)
    ('healthy', 1.0)

    Parameters
    ----------
    preset : str, optional
        A published transformer, as in ``gradcheck list presets``; any other option overrides its value.
    arch : str, optional
        ``mlp``, a multilayer perceptron; a recurrent network: ``rnn``, ``lstm``, ``gru``; or ``transformer``.
    depth : int, optional
        Hidden layers; 50 unless `width` or `weights` say otherwise.
    steps : int, optional
        Time steps of a recurrent network, which takes the place of depth: equal pieces that an example is cut into;
        as many as it has numbers unless given.
    width : int or tuple of int, optional
        Units of each hidden layer; 128.
    blocks, model_width, heads, kv_heads, mlp_ratio, tokens, norm_placement, causal, positions, tied, biases, \
    vocabulary, context, patch
        Of a transformer, see ``gradcheck.TransformerSpec``.
    activation, init, norm : str, optional
        Names as in ``gradcheck simulate --help``; `activation` is sigmoid, of recurrent networks tanh, of transformers
        gelu; `init` is xavier unless `weights` are given; `norm` is none, of transformers layer.
    gain, recurrent_gain, weight_std, bias_std : float, optional
        Factor of the initial standard deviation (1), and once more of the recurrent weights (1); that standard
        deviation itself, for init normal and uniform; standard deviation of the biases (0).
    forget_bias : float, optional
        Initial bias of the gate that keeps the memory of an lstm (1) or a gru (0).
    residual, residual_scale : bool, float, optional
        Skip connections from the second hidden layer on, and the scale of the layers beside them; of a transformer
        also ``gpt2`` or ``deepnorm``.
    data : str or Path, optional
        ``digits``, ``gaussian``, ``text``, or a .npy, .npz or .csv file; digits, for a transformer text.
    labels : bool
        The last column of a .csv file holds the labels.
    batch_size, shuffle : int, bool
        Examples in the batch (64, of a transformer 1 sequence); whether they are taken after a shuffle.
    weights : str or Path, optional
        A .npz or .safetensors file whose matrices take the place of drawn ones.
    save_weights : str or Path, optional
        Write the drawn weights there as .npz.
    layers : str
        ``dense`` (stored matrices), ``weightless`` (drawn from the same law without any), or ``auto``, the cheaper one.
    seed, seeds : int
        First seed, number of draws.
    dtype : str
        ``float64`` or ``float32``.
    vanish_below, explode_above, max_span, min_rank, dead_above, saturated_above : float
        Limits of what is healthy, see ``gradcheck.Thresholds``.
    number_format : str or sequence of str, optional
        ``fp16``, ``bf16``, ``fp8-e4m3``, ``fp8-e5m2``, ``mxfp8``: count what a cast to it loses
        of each layer's tensors.
    lr : float, optional
        With `number_format`, the learning rate of the updates that rounding of bf16 weights loses: 0.1.
    suggest : bool, optional
        Simulate single changes and report those that fix the network: no unless it is said, though the command line
        does it for its text; None: unless the network is so large that this would take more than a moment.
    trial : bool
        Train the network of the first seed for real, with SGD at one rate after the other until it learns at one: what
        came of it is the report's `trial`, and changes nothing else in it.
    trial_seconds : float
        The time limit of all rates together (20); what was found by then counts.
    tick : callable, optional
        Called with the share of the work that is done, as a sign of life; changes are simulated in a second run
        from 0 to 1.

    Returns
    -------
    Report

    Raises
    ------
    GradcheckError
        An option or a file isn't what it has to be; the message says what would be.
    """
    save_weights, suggest, trial = options["save_weights"], options["suggest"], options["trial"]
    stored = "--trial trains the matrices" if trial else "--save-weights writes the matrices" if save_weights else ""
    experiment = Experiment.from_options(options, stored)
    rows(SimulateOptions)["trial_seconds"].check(options["trial_seconds"])
    if trial:
        from gradcheck.simulation.trial import check_trial, hold_trial

        check_trial(experiment)
    if save_weights is not None:
        _save(Path(save_weights), experiment)
    if suggest is None:
        suggest = experiment.is_small
    tally = _tally(options["number_format"], options["lr"])
    config = experiment.to_dict() | {
        "number_format": tally and list(dict.fromkeys(case.format for case in tally.cases)),
        "lr": tally and tally.rate,
        "trial": trial,
        "trial_seconds": options["trial_seconds"],
        "save_weights": save_weights and str(save_weights),
        "suggest": suggest,
    }
    if suggest:
        report = _with_changes(config, experiment, tick, tally)
    else:
        report, _ = _measured(config, experiment, tick, tally)
    return replace(report, trial=hold_trial(experiment, options["trial_seconds"])) if trial else report


def _with_changes(
    config: Mapping[str, Any], experiment: Experiment, tick: Callable[[float], None] | None, tally: Tally | None
) -> Report:
    """Measure a network, and the changes that may fix it."""
    from gradcheck.simulation.cures import cures

    with sharing(SharedDraws()):  # a change of the network draws what the network has drawn
        report, outcome = _measured(config, experiment, tick, tally)
        return replace(report, suggestions=cures(experiment, outcome, tick))


def _tally(formats: str | Sequence[str] | None, rate: float | None) -> Tally | None:
    """Return what counts the losses of number formats, where some are asked for."""
    if formats is None:
        if rate is not None:
            raise OptionError("lr", "is of the updates that --number-format counts: name a format, or drop it")
        return None
    rate = finite("lr", USUAL_RATE if rate is None else rate, "it is a learning rate", above=0)
    return Tally(cases_of(number_formats(formats), LOSS_SCALES), rate)


def _measured(
    config: Mapping[str, Any], experiment: Experiment, tick: Callable[[float], None] | None, tally: Tally | None
) -> tuple[Report, Outcome]:
    """Measure a network, and lay it out with what theory predicts beside it, and what number formats lose."""
    theory: Callable[[], Prediction | Unknown] = partial(predicted, experiment)
    if not experiment.is_small:  # another core predicts while this one measures
        theory = ahead(theory)
    outcome = _with_remarks(experiment, experiment.outcome(tick, tally))
    prediction = expectation(experiment, outcome, theory())
    report = make_report("simulate", config, *outcome, parameters=experiment.parameters, prediction=prediction)
    if tally is None:
        return report, outcome
    places = [Place(layer.index, layer.index, layer.name) for layer in report.layers]
    return with_numbers(report, numbers_record(tally, places), outcome.typical), outcome


def _with_remarks(experiment: Experiment, outcome: Outcome) -> Outcome:
    """Add what is to be said of the data, and of the loss where training starts."""
    flags, regions, verdict = outcome.diagnosis
    said = (*verdict.causes, *_of_columns(experiment), *_of_far_loss(experiment, outcome))
    return outcome._replace(diagnosis=Diagnosis(flags, regions, verdict._replace(causes=said)))


def _of_columns(experiment: Experiment) -> Iterator[Cause]:
    """A column beside which most others are as good as constant, as the data is scaled as a whole."""
    column, times = experiment.dataset.largest_column() if isinstance(experiment.dataset, Dataset) else (1, 1.0)
    if times > COLUMNS_APART:
        yield Cause("columns-apart", None, times, COLUMNS_APART, {"column": column})


def _of_far_loss(experiment: Experiment, outcome: Outcome) -> Iterator[Cause]:
    """The loss where training starts, if it is far above guessing."""
    loss = experiment.far_loss(outcome.typical)
    if loss is not None:
        yield Cause("first-loss", None, loss, math.log(experiment.classes), {"classes": experiment.classes})


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
    write_weights(path, experiment.stored_network("save_weights", "are drawn anew"))
