"""Shows where a deep network loses its gradient, why, and what fixes it.

    print(gradcheck.simulate(depth=50, activation="tanh"))

simulate    does a network's gradient survive, before any training?
compare     which of many networks keep it alive, ranked
theory      what mean-field theory predicts for a network, without drawing it
rate        which learning rate a network takes
clip_demo   what gradient clipping does to a run that explodes
transfer    whether updates keep their size in width, so that a learning rate does
diagnose    what the log of a training run shows
torch       probe(model, batch): the same for your own PyTorch model; Recorder(model, file): a log of its training
jax         probe(model, batch): the same for your own model of Flax or Equinox
huggingface, lightning, keras: GradientCallback(), one line in their trainers; accelerate: Recorder(accelerator, model)
clipping    the rules of gradient clipping for NumPy arrays
verify      are the engine's own gradients right on this machine?
explain     what a verdict, a flag or a remedy is; without a topic: the list of pages

What they return can be printed, and has to_dict(), to_json() and to_frame(); reports have plot() and to_html(), too.
help(gradcheck.simulate) has the options.
"""

# The names below are the public interface. They are loaded when they are first used, so that the command can answer
# --version and --help without NumPy.

from importlib import import_module
from typing import TYPE_CHECKING

from gradcheck.version import SCHEMA_VERSION as SCHEMA_VERSION
from gradcheck.version import __version__

if TYPE_CHECKING:
    from gradcheck import clipping as clipping
    from gradcheck import torch as torch
    from gradcheck.checking.verification import Verification as Verification
    from gradcheck.checking.verification import verify as verify
    from gradcheck.diagnosis.report import Report as Report
    from gradcheck.diagnosis.schema import json_schema as json_schema
    from gradcheck.errors import GradcheckError as GradcheckError
    from gradcheck.explanations.catalogue import catalogue as catalogue
    from gradcheck.explanations.explanation import Explanation as Explanation
    from gradcheck.explanations.explanation import explain as explain
    from gradcheck.explanations.explanation import topics as topics
    from gradcheck.learning_rate.rate import rate as rate
    from gradcheck.learning_rate.report import RateReport as RateReport
    from gradcheck.logs.report import LogReport as LogReport
    from gradcheck.logs.report import diagnose as diagnose
    from gradcheck.mean_field.report import TheoryReport as TheoryReport
    from gradcheck.mean_field.theory import theory as theory
    from gradcheck.parametrization.report import TransferReport as TransferReport
    from gradcheck.parametrization.transfer import transfer as transfer
    from gradcheck.simulation.simulate import simulate as simulate
    from gradcheck.spec import NetworkSpec as NetworkSpec
    from gradcheck.spec import RecurrentSpec as RecurrentSpec
    from gradcheck.spec import TransformerSpec as TransformerSpec
    from gradcheck.spec.thresholds import Thresholds as Thresholds
    from gradcheck.sweep.comparison import Comparison as Comparison
    from gradcheck.sweep.comparison import compare as compare
    from gradcheck.training.demonstration import clip_demo as clip_demo
    from gradcheck.training.report import DemoReport as DemoReport

_HOME = {
    "Comparison": "gradcheck.sweep.comparison",
    "TransformerSpec": "gradcheck.spec",
    "catalogue": "gradcheck.explanations.catalogue",
    "DemoReport": "gradcheck.training.report",
    "compare": "gradcheck.sweep.comparison",
    "clip_demo": "gradcheck.training.demonstration",
    "explain": "gradcheck.explanations.explanation",
    "topics": "gradcheck.explanations.explanation",
    "Explanation": "gradcheck.explanations.explanation",
    "GradcheckError": "gradcheck.errors",
    "RateReport": "gradcheck.learning_rate.report",
    "rate": "gradcheck.learning_rate.rate",
    "LogReport": "gradcheck.logs.report",
    "diagnose": "gradcheck.logs.report",
    "NetworkSpec": "gradcheck.spec",
    "RecurrentSpec": "gradcheck.spec",
    "Report": "gradcheck.diagnosis.report",
    "TransferReport": "gradcheck.parametrization.report",
    "transfer": "gradcheck.parametrization.transfer",
    "TheoryReport": "gradcheck.mean_field.report",
    "Thresholds": "gradcheck.spec.thresholds",
    "json_schema": "gradcheck.diagnosis.schema",
    "simulate": "gradcheck.simulation.simulate",
    "theory": "gradcheck.mean_field.theory",
    "Verification": "gradcheck.checking.verification",
    "verify": "gradcheck.checking.verification",
}

#: Modules that are part of the public interface.
_MODULES = ("clipping",)

#: Those that need the package of the same name, or transformers: no part of ``*``.
_EXTRAS = ("torch", "jax", "huggingface", "lightning", "keras", "accelerate")

__all__ = [*_HOME, *_MODULES, "__version__"]


def __getattr__(name: str) -> object:
    if name in _MODULES or name in _EXTRAS:
        return import_module(f"gradcheck.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'gradcheck' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    """Return what one calls: of classes, help() would print every method."""
    from importlib.util import find_spec

    there = {"torch"} if find_spec("torch") else set()
    return sorted({name for name in __all__ if name.islower()} | there)
