"""What a learning rate is searched by."""

from gradcheck.explanations.topic import Example, Topic

LEARNING_RATE = (
    Topic(
        name="learning-rate",
        summary="the best rate, the ceiling, how long to warm up",
        what="Along an update of the optimizer the loss of its batch falls, then rises again; from the critical rate "
        "on it is above where it began. rate searches that of the first update, and from there makes a few short runs, "
        "at rates a factor of two apart. The best rate is between the one that gets furthest and its neighbours.",
        why="Too high a rate throws back what an update gains; a tenth of the best one takes ten times as long. Where "
        "the loss rises at first before it falls, warm up. A network without a gradient takes no rate: there "
        "is always one at which the loss falls a little, as the read-out learns how frequent the labels are.",
        formula=(
            "critical rate r of an update d: loss(w + r d) = loss(w);  its sharpness: 2/r",
            "along −g of a quadratic: r = 2 g·g/gᵀHg",
        ),
        examples=(Example("rate --depth 10", "no-rate"),),
        try_next=(Example("rate --depth 10 --activation tanh", "found"),),
        references=("Kalra et al. 2026 (critical sharpness)", "Smith 2015 (the range test)", "Cohen et al. 2021"),
        related=("vanishing", "exploding", "clipping"),
        aliases=(
            "rate", "lr", "warm-up", "critical-rate", "ceiling", "best-rate", "too-high", "too-low", "no-rate", "best",
            "fits", "edge", "checked", "asked", "untrainable", "no-progress", "no-run", "rises", "falls", "one-batch",
            "groups", "another-rule", "short-runs", "learnt-little", "noise", "cure", "run", "found",
            "outside-band", "fades",
        ),
    ),
)  # fmt: skip
