"""What a learning rate is searched by."""

from gradcheck.explanations.topic import Example, Topic

LEARNING_RATE = (
    Topic(
        name="learning-rate",
        summary="how far an update can go before the loss of its own batch rises",
        what="Each update of the optimizer is a direction. Along it the loss falls, then rises again; from the "
        "critical rate on it is above where it began. rate searches that of 25 updates, 3 to 4 forward passes each, "
        "and makes each update at half of it. The first five don't count: what limits a rate changes most there.",
        why="A rate above the critical one of most updates throws back what they gained. The best constant rate is a "
        "share of their median, which differs by optimizer; networks that were trained say which. A network whose "
        "first updates take far less than the later ones needs a warm-up; one without a gradient takes no rate.",
        formula=(
            "critical rate η: loss(θ + η Δ) = loss(θ);  along −g of a quadratic 2 g·g/gᵀHg",
            "critical sharpness: 2/η",
        ),
        examples=(Example("rate --depth 10", "no-rate"),),
        try_next=(Example("rate --depth 10 --activation tanh", "found"),),
        references=("Kalra et al. 2026 (critical sharpness)", "Smith 2015 (the range test)", "Cohen et al. 2021"),
        related=("vanishing", "exploding", "clipping"),
        aliases=("rate", "lr", "warm-up", "critical-rate", "ceiling", "best-rate", "too-high", "too-low", "no-rate"),
    ),
)
