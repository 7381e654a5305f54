"""``gradcheck list``."""

from typing import Annotated, TypedDict

from gradcheck.cli.options import command
from gradcheck.cli.output import JSON
from gradcheck.cli.shown import AS_JSON, FILE, Shown
from gradcheck.errors import GradcheckError, did_you_mean
from gradcheck.spec.options.option import ARGUMENT, Names, Option, canonical

#: Format ↦ where it is made.
FORMATS = {"text": "gradcheck.explanations.text.catalogue:as_text", "json": JSON}

LISTS = ("presets", "activations", "inits", "norms")


class KindOptions(TypedDict):
    """What to list."""

    kind: Annotated[str, Option("What to list", ARGUMENT, "KIND", default="presets", range=Names(LISTS))]


@command(KindOptions, shown=(AS_JSON, FILE))
def list_choices(options: KindOptions, shown: Shown) -> None:
    """Which published networks, activations, initialisations and norms are there?

    Lists those of one kind, each with its source.
    """
    kind = canonical(options["kind"], LISTS)
    if kind not in LISTS:
        raise GradcheckError(f"list {kind!r} is unknown; {did_you_mean(kind, LISTS)}allowed: {', '.join(LISTS)}")
    from gradcheck.explanations.catalogue import catalogue

    shown.show(catalogue(kind), FORMATS)
