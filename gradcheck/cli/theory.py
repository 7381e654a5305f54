"""``gradcheck theory``."""

from gradcheck.cli.options import command
from gradcheck.cli.output import formats_of
from gradcheck.cli.shown import AS_JSON, FILE, PLOT, QUIET, Shown, format_of
from gradcheck.engine.threads import settle_threads
from gradcheck.spec.options.simulation import TheoryOptions

#: Format ↦ where it is made.
FORMATS = formats_of("mean_field")


@command(TheoryOptions, shown=(format_of(FORMATS), AS_JSON, FILE, PLOT, QUIET))
def theory(options: TheoryOptions, shown: Shown) -> None:
    """What does mean-field theory say of such a network, without drawing a single weight?

    Prints whether gradients vanish (ordered), explode (chaotic) or keep their size (critical) in the limit of
    infinite width, how deep such a network can be, the gain at which it would be critical, and the predicted gradient
    of each layer. The width turns --init into sigma_w^2 = fan_in * Var W; inputs count as standardised. A transformer
    is followed block by block: gradient, residual stream, how alike tokens become; they count as unlike at first.
    """
    settle_threads()
    from gradcheck import theory as said

    shown.show(said(**options), FORMATS)
