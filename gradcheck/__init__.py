"""Shows where a deep network loses its gradient, why, and what brings it back.

``gradcheck.simulate(depth=50, activation="tanh")`` returns a ``Report``; the command ``gradcheck`` prints it.
The names below are the public interface. They are loaded when they are first used, so that the command can
answer ``--version`` and ``--help`` without NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

#: Of the JSON documents.
SCHEMA_VERSION = 1

if TYPE_CHECKING:
    from gradcheck import clipping as clipping
    from gradcheck.comparison import Comparison as Comparison
    from gradcheck.comparison import compare as compare
    from gradcheck.demo_report import DemoReport as DemoReport
    from gradcheck.demonstration import clip_demo as clip_demo
    from gradcheck.errors import GradcheckError as GradcheckError
    from gradcheck.explanation import Explanation as Explanation
    from gradcheck.explanation import explain as explain
    from gradcheck.explanation import topics as topics
    from gradcheck.listing import catalogue as catalogue
    from gradcheck.log_report import LogReport as LogReport
    from gradcheck.log_report import diagnose as diagnose
    from gradcheck.mean_field_theory import theory as theory
    from gradcheck.report import Report as Report
    from gradcheck.schema import json_schema as json_schema
    from gradcheck.simulation import simulate as simulate
    from gradcheck.spec import NetworkSpec as NetworkSpec
    from gradcheck.spec import RecurrentSpec as RecurrentSpec
    from gradcheck.spec import TransformerSpec as TransformerSpec
    from gradcheck.theory_report import TheoryReport as TheoryReport
    from gradcheck.thresholds import Thresholds as Thresholds
    from gradcheck.verification import Verification as Verification
    from gradcheck.verification import verify as verify

_HOME = {
    "Comparison": "gradcheck.comparison",
    "TransformerSpec": "gradcheck.spec",
    "catalogue": "gradcheck.listing",
    "DemoReport": "gradcheck.demo_report",
    "compare": "gradcheck.comparison",
    "clip_demo": "gradcheck.demonstration",
    "explain": "gradcheck.explanation",
    "topics": "gradcheck.explanation",
    "Explanation": "gradcheck.explanation",
    "GradcheckError": "gradcheck.errors",
    "LogReport": "gradcheck.log_report",
    "diagnose": "gradcheck.log_report",
    "NetworkSpec": "gradcheck.spec",
    "RecurrentSpec": "gradcheck.spec",
    "Report": "gradcheck.report",
    "TheoryReport": "gradcheck.theory_report",
    "Thresholds": "gradcheck.thresholds",
    "json_schema": "gradcheck.schema",
    "simulate": "gradcheck.simulation",
    "theory": "gradcheck.mean_field_theory",
    "Verification": "gradcheck.verification",
    "verify": "gradcheck.verification",
}

#: Modules that are part of the public interface.
_MODULES = ("clipping",)

__all__ = [*_HOME, *_MODULES, "__version__"]


def __getattr__(name: str) -> object:
    if name in _MODULES or name == "torch":  # the latter is no part of *: it needs PyTorch
        return import_module(f"gradcheck.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'gradcheck' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
