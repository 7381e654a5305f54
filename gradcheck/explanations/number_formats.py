"""What number formats of low precision lose."""

from gradcheck.explanations.topic import Example, Topic

NUMBER_FORMATS = (
    Topic(
        name="number-formats",
        summary="what fp16, bf16, FP8 and MXFP8 lose of each layer",
        what="--number-format counts what a cast of each layer's inputs, weights and gradients rounds to zero or "
        "beyond the largest number: with a loss scale, with a scale of each tensor's own, or (mxfp8) of each 32 "
        "neighbours, whose rule may cut their largest off. --lr: the updates of bf16 weights that rounding undoes.",
        why="A loss scale moves all layers alike. bf16 has 8 digits: a step below 1/512 to 1/256 of a weight is "
        "nothing to it; keep float32 copies, or round stochastically. No verdict depends on it.",
        formula=(
            "largest, smallest: fp16 65504, 2^-24; bf16 3.4e38, 2^-133",
            "e4m3 448, 2^-9; e5m2 57344, 2^-16",
            "2^k: max |x| 2^k ≤ largest; of a block k = 8 − floor(log2 max |x|)",
            "lost: |lr ∂L/∂w| below half the distance to the next number",
        ),
        examples=(Example("simulate --depth 24 --number-format fp16,mxfp8", "vanishing", "span 14.4"),),
        try_next=(
            Example("simulate --depth 24 --activation tanh --number-format fp16", "healthy"),
        ),
        references=(
            "Micikevicius et al. 2018, 2022", "Kalamkar et al. 2019", "Rouhani et al. 2023", "Zamirai et al. 2020",
        ),
        related=("underflow", "nonfinite", "vanishing"),
        aliases=(
            "number-format", "fp8", "fp8-e4m3", "fp8-e5m2", "mxfp8", "microscaling", "format-underflow",
            "format-overflow", "format-fits", "updates-lost", "format", "scale", "tensor", "to-zero",
            "subnormal",
        ),
    ),
)  # fmt: skip
