"""What the numbers mean."""

from gradcheck.explanations.topic import Example, Topic

MEASURES = (
    Topic(
        name="theory",
        summary="infinite width: order, chaos, and the edge between them",
        what="In wide layers pre-activations are normal, and two numbers tell most: their mean square q, and χ, the "
        "factor of the squared gradient. χ < 1 is order: gradients vanish, inputs become alike. χ > 1 is chaos: "
        "gradients explode, similar inputs part. Depth is possible near the edge, χ = 1.",
        why="For tanh at --gain 2 it gives √(χ) = 1.167 a layer; the last example measures it at width 128.",
        formula=(
            "q' = σ_w² E[φ(z)²] + σ_b²,  z ~ N(0, q),  at its fixed point",
            "χ = σ_w² E[φ'(z)²];  relu: χ = σ_w²/2, so he is the edge",
            "gradients last about 1/|ln χ| layers",
        ),
        examples=(
            Example("theory --activation tanh --gain 2", "chaotic", "a factor of 1.17"),
            Example("simulate --activation tanh --gain 2", "exploding", "span 3.3, a factor of 1.17"),
        ),
        try_next=(Example("simulate --activation tanh --gain 1.25", "healthy", "span 0.5, a factor of 1.02"),),
        references=("Poole et al. 2016", "Schoenholz et al. 2017"),
        related=("initialisation", "width", "collapsed", "growing"),
        aliases=(
            "mean-field",
            "edge-of-chaos",
            "chaos",
            "infinite-width",
            "chi",
            "phase",
            "ordered",
            "chaotic",
            "critical",
        ),
    ),
    Topic(
        name="score",
        summary="what the probability of training means, and doesn't know",
        what="800 perceptrons of 2 to 120 layers were trained with plain SGD at six learning rates. A logistic "
        "function of span, rank and sensitivity, fitted to them, says how likely a network like yours is to train. The "
        "sensitivity says how much of the outputs' differences changes as all weights move by 1 % at random.",
        why="It is right on 95 % of them (10-fold cross-validated). For other data, recurrences and transformers it "
        "is an informed guess. It knows no learning rate; a better optimiser can do more.",
        formula=(
            "p = 1/(1 + e^−s)",
            "s = −1.34 − 1.01 min(span, 20) + 1.72 min(ln rank, 2.5) − 3.23 log10 v",
            "v = 0.01 √(Σ σ_l² ‖∂L/∂(W_l, b_l)‖²) / (‖∂L/∂f‖ · std of outputs f)",
            "v unknown: s = 0.49 − 2.29 min(span, 20) + 2.39 min(ln rank, 2.5)",
            "span: that of ∂L/∂z or of ∂L/∂W, the wider one; rank: the least of all",
            "outputs beyond 1e-4 to 1e4: their decades count as the span's",
        ),
        examples=(Example("simulate --depth 12 --activation tanh --gain 10", "exploding", "span 4.1"),),
        try_next=(Example("simulate --depth 12 --activation tanh --gain 3", "healthy", "span 1.5, trains: 89 %"),),
        references=("benchmarks/trainability, benchmarks/calibrate.py",),
        related=("training-trial", "healthy", "columns", "ranking"),
        aliases=(
            "trains",
            "output-size",
            "logit-rms",
            "trainable",
            "sensitivity",
            "probability",
            "optimizer",
            "optimiser",
            "sgd",
            "momentum",
            "adam",
            "adamw",
            "rmsprop",
        ),
    ),
    Topic(
        name="span",
        summary="decades between strongest and weakest layer",
        what="A decade is one power of ten: 2 decades are a factor of 100, 30 are 1 with 30 zeros. The span counts how "
        "many lie between the layer with the strongest gradient and the one with the weakest. Lost: the first layers "
        "get less than the last ones; gained: they get more.",
        why="One learning rate serves all layers. Where gradients span many decades, it is too small for some layers "
        "or too large for others. Above 2.3 decades plain SGD mostly failed on networks that were trained.",
        formula=("span = log10(max_l r_l / min_l r_l),  r_l = rms of ∂L/∂z_l", "span = about (depth − 1) |log10 gain|"),
        examples=(Example("simulate --depth 12", "vanishing", "span 6.9, a factor of 0.235"),),
        try_next=(Example("simulate --depth 12 --activation tanh", "healthy", "span 0.5"),),
        references=("benchmarks/calibrate.py (the limit)",),
        related=("chain-rule", "score", "columns"),
        aliases=(
            "gradient-span",
            "decades",
            "decade",
            "powers-of-ten",
            "max-span",
            "weight-span",
            "weight-gradient-span",
        ),
    ),
    Topic(
        name="weightless",
        summary="random layers without their matrices: the same law, less work",
        what="A pass sees of a random matrix W only X W and D Wᵀ. Their joint law is known for normal and "
        "orthogonal W, so they are drawn from it and W never is. Exact in distribution; for one seed another "
        "network than the dense one.",
        why="50 layers of 4096 have 0.8 billion weights, 6.6 GB; this takes about a second. --layers auto does so "
        "from width 256 on, where the width is at least 8 times the batch; dense and weightless force either.",
        formula=(
            "X = C Q, Q orthonormal rows:  X W = C M,  M ~ N(0, s²)",
            "D Wᵀ = (D Mᵀ) Q + D Vᵀ (1 − QᵀQ),  V a fresh copy of W",
        ),
        examples=(
            Example(
                "simulate --width 4096 --activation relu --batch-size 32", "vanishing", "span 7.35, a factor of 0.708"
            ),
        ),
        try_next=(Example("simulate --width 4096 --activation tanh --batch-size 32", "healthy", "span 0.3"),),
        references=("Bolthausen 2014", "Bayati & Montanari 2011"),
        related=("theory", "width", "transformers"),
        aliases=("layers", "dense"),
    ),
    Topic(
        name="columns",
        summary="what the columns of the table mean, and where to look first",
        what="One row a layer, first to last; of a deep network a sample (--all-layers shows all), on a wide "
        "terminal more columns. Read gain first: one factor off in every layer is a matter of weights or "
        "activation, a single outlier is that layer's.",
        why="",
        formula=(
            "gradient    rms of ∂L/∂z over batch and units",
            "ratio       gradient over that of the last layer",
            "gain        gradient over that of the next layer",
            "activation  rms of the layer's outputs",
            "rank        directions in which the examples differ; cosine: how alike",
            "flag        ok vanishing exploding dead saturated nonfinite",
            "span        log10 of the strongest over the weakest gradient",
        ),
        examples=(Example("simulate --depth 12", "vanishing", "span 6.9, a factor of 0.235"),),
        try_next=(Example("simulate --depth 12 --activation tanh --all-layers", "healthy", "a factor of 0.894"),),
        references=("gradcheck schema simulate (every number)", "Roy & Vetterli 2007 (rank)"),
        related=("chain-rule", "score", "healthy"),
        aliases=(
            "table",
            "gradient",
            "ratio",
            "gradient-ratio",
            "rank",
            "columns-apart",
            "features-apart",
            "effective-rank",
            "cosine",
            "flag",
            "flags",
            "region",
            "regions",
            "weights",
            "weight-norm",
            "weight-gradient",
            "weight-gradient-norm",
            "log10-weight-gradient-norm",
            "preactivation-std",
            "activation-rms",
            "input-cosine",
            "gradient-rms",
            "log10-gradient-rms",
            "log10-gradient-ratio",
            "effective-rank-last",
            "effective-rank-least",
            "mean-local-gain",
            "parameters",
            "parameters-zero",
            "fan-in",
            "fan-out",
            "kind",
            "name",
            "index",
        ),
    ),
)
