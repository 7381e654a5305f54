"""What a network or a layer can be called: every verdict and every flag."""

from gradcheck.explanations.topic import Example, Topic

VERDICTS = (
    Topic(
        name="vanishing",
        summary="the gradient fades on its way back to the first layers",
        what="Each layer passes on only a part of the gradient that it receives, and the parts multiply. The first "
        "layers hardly move, and all after them have to learn from what random layers make of the input.",
        why="A factor of 0.235 a layer is 30.9 decades over 50 layers. No learning rate suits both ends.",
        formula=(
            "layer: gradient_ratio = rms(∂L/∂z_l) / rms(∂L/∂z_last) < 1e-3",
            "network: span > 2.3 decades, the weakest layer nearer to the input",
        ),
        examples=(Example("simulate --depth 50", "vanishing", "span 30.9, a factor of 0.235"),),
        try_next=(
            Example("simulate --depth 50 --activation tanh --init lecun", "healthy", "span 1.0"),
            Example("simulate --depth 50 --residual --residual-scale 0.141", "healthy", "span 1.1"),
        ),
        references=("Hochreiter 1991", "Bengio, Simard & Frasconi 1994", "Glorot & Bengio 2010"),
        related=("chain-rule", "activations", "initialisation", "residual"),
        aliases=("vanish", "vanishing-scattered"),
    ),
    Topic(
        name="exploding",
        summary="the gradient grows on its way back to the first layers",
        what="Each layer passes on more gradient than it receives, and the factors multiply. A step that suits the "
        "last layers throws the first ones far off: the loss jumps, then is not a number any more.",
        why="Clipping shortens the step and leaves the imbalance between layers. Fix the network first. Below, a "
        "gain of 2 doubles weights that were right: each layer's factor doubles too.",
        formula=(
            "layer: gradient_ratio = rms(∂L/∂z_l) / rms(∂L/∂z_last) > 1e3",
            "network: span > 2.3 decades, the strongest layer nearer to the input",
        ),
        examples=(
            Example(
                "simulate --depth 30 --activation relu --init he --gain 2", "exploding", "span 8.8, a factor of 2.01"
            ),
        ),
        try_next=(
            Example("simulate --depth 30 --activation relu --init he", "healthy", "span 0.09"),
            Example("simulate --depth 30 --activation relu --gain 2 --norm layer", "healthy", "span 0.18"),
        ),
        references=("Bengio, Simard & Frasconi 1994", "Pascanu, Mikolov & Bengio 2013"),
        related=("chain-rule", "initialisation", "clipping", "spikes"),
        aliases=("explode", "exploding-scattered", "explodes-in-time"),
    ),
    Topic(
        name="collapsed",
        summary="the gradient survives, but all examples look alike at the end",
        what="Layer by layer a random network makes different inputs more alike. After the last one they differ "
        "along hardly more than one direction, so that no read-out can tell their classes apart.",
        why="The size of a gradient doesn't show it. Of the 400 trained networks of benchmarks/trainability 13 have "
        "a healthy span and such a rank; 10 of them did not train.",
        formula=(
            "rank = exp(−Σ p ln p), p = s²/Σ s², s: singular values of the last",
            "layer's outputs, centred over the batch; collapsed where rank < 1.8",
            "relu: a cosine c becomes (√(1−c²) + c(π − arccos c))/π: it tends to 1",
        ),
        examples=(Example("simulate --depth 80 --activation relu --init he", "collapsed", "span 0.3, rank 1.5"),),
        try_next=(
            Example("simulate --depth 80 --activation tanh --init orthogonal", "healthy", "rank 18.3"),
            Example("simulate --depth 80 --norm layer --residual", "healthy", "rank 15.1"),
        ),
        references=("Cho & Saul 2009", "Daniely, Frostig & Singer 2016", "Roy & Vetterli 2007 (rank)"),
        related=("theory", "residual", "transformers", "score"),
        aliases=("collapse", "rank-collapse", "tokens-alike", "outputs-apart"),
    ),
    Topic(
        name="dead",
        summary="units whose derivative is 0 for every example: they can't learn",
        what="A ReLU whose input is negative for the whole batch passes nothing back, so its weights get no "
        "gradient and it stays as it is. That half of a ReLU's entries are 0 is normal: such units are not dead.",
        why="Narrow deep ReLU networks are often born dead: of 10 layers of 4 units 30 % of the draws, of 30 layers "
        "86 %. In training, one step too large can push a bias so far down that its unit never fires again.",
        formula=(
            "φ'(z) = 0 for all examples, so ∂L/∂z = 0 and ∂L/∂W = 0",
            "layer: more than 90 % of its units; network: a whole layer",
        ),
        examples=(Example("simulate --depth 10 --width 4 --activation relu --init he", "dead"),),
        try_next=(
            Example("simulate --depth 10 --width 64 --activation relu --init he", "healthy", "rank 9.5"),
            Example("simulate --depth 10 --width 64 --activation elu --init he", "healthy", "rank 10.9"),
        ),
        references=("Lu, Shin, Su & Karniadakis 2020", "Maas, Hannun & Ng 2013 (leaky_relu)"),
        related=("activations", "width", "exploding"),
        aliases=(
            "dead-relu",
            "dying-relu",
            "dead-fraction",
            "forward-zero",
            "gradient-zero",
            "layers-zero",
            "output-shut",
            "softmax-of-one",
            "constant-loss",
        ),
    ),
    Topic(
        name="saturated",
        summary="activations so far out that they hardly have a slope",
        what="Far from 0 tanh and sigmoid are flat: beyond |z| = 2.99 and 5.99 their slope is below 1 % of the "
        "steepest. A layer is saturated where more than 90 % of its entries are so flat.",
        why="Its units say only yes or no. Few still pass a gradient, but those do through large weights: drawn at "
        "random, a deep saturated network explodes rather than vanishes. Too large weights are the usual cause.",
        formula=("tanh'(z) = 1 − tanh²(z),  σ'(z) = σ(z)(1 − σ(z)) ≤ 1/4",),
        examples=(Example("simulate --depth 12 --activation tanh --gain 30", "exploding", "span 7.0, saturated"),),
        try_next=(
            Example("simulate --depth 12 --activation tanh", "healthy", "span 0.5"),
            Example("simulate --depth 12 --activation tanh --gain 30 --norm layer", "healthy", "span 0.4"),
        ),
        references=("LeCun et al. 1998", "Glorot & Bengio 2010"),
        related=("activations", "initialisation", "normalisation", "exploding"),
        aliases=(
            "saturation",
            "saturated-fraction",
            "output-saturated",
            "output-flat",
            "large-inputs",
            "gates-saturated",
            "attention-saturated",
            "attention-hard",
            "single-token",
        ),
    ),
    Topic(
        name="nonfinite",
        summary="a number left the range of floats: overflow, or not a number",
        what="The signal grows by a factor a layer until it is larger than its format holds: inf. Then inf − inf "
        "and 0 × inf are nan, and one nan spoils all that follows. There is no loss; the gradients shown are those of "
        "the last finite layer's mean square.",
        why="The layer that is named is where it ended, not where it began: see activation and gain of those "
        "before. N(0, 1) in place of N(0, 1/fan_in) does it: at width 128 that is --gain 11.3. Where probe names an "
        "operation, the layers are well: eps under a root or quotient, clamp, normalise, ctc_loss's zero_infinity.",
        formula=(
            "largest: float16 65504, bfloat16 and float32 3.4e38, float64 1.8e308",
            "a factor g a layer lasts for log(largest)/log(g) layers",
        ),
        examples=(
            Example(
                "simulate --activation relu --gain 10 --dtype float32", "nonfinite", "status overflow, a factor of 7.31"
            ),
        ),
        try_next=(
            Example("simulate --activation relu --init he --dtype float32", "healthy", "a factor of 0.999"),
            Example("simulate --activation relu --gain 10 --norm layer", "healthy", "a factor of 1.01"),
        ),
        references=("IEEE 754-2019", "Micikevicius et al. 2018"),
        related=("exploding", "underflow", "scaled-norms", "loss-jump"),
        aliases=(
            "overflow",
            "nan",
            "inf",
            "forward-overflow",
            "forward-nan",
            "gradient-overflow",
            "stand-in-loss",
            "weights-nonfinite",
            "eps-lost",
            "becomes-nan",
            "loss-nonfinite",
            "operation-nonfinite",
            "gradient-nonfinite",
            "labels-ignored",
        ),
    ),
    Topic(
        name="underflow",
        summary="a number too small for floats; its logarithm is still right",
        what="gradcheck carries every magnitude as a logarithm too, so the table goes on at 1e-380. Where the "
        "number itself is below every float, the JSON has null (0 only where it is exactly 0) and status underflow.",
        why="A training run has no such logarithms: its gradient is 0 there, and nothing moves. The default sigmoid "
        "gets that far 67 layers back from the loss in float32, 510 in float64. Scaling the loss moves all layers "
        "alike.",
        formula=("smallest: float16 6e-8, float32 1.4e-45, float64 4.9e-324",),
        examples=(Example("simulate --depth 600", "vanishing", "span 376.4, status underflow"),),
        try_next=(Example("simulate --depth 600 --activation tanh --init orthogonal", "healthy", "span 1.3"),),
        references=("IEEE 754-2019", "Micikevicius et al. 2018"),
        related=("vanishing", "nonfinite", "chain-rule", "number-formats"),
        aliases=("fp16", "bf16", "half-precision", "amp", "loss-scale", "no-underflow", "more-underflow"),
    ),
    Topic(
        name="healthy",
        summary="the gradient keeps its size, and the examples stay apart",
        what="At most 2.3 decades between the strongest and the weakest layer, effective rank of at least 1.8, no "
        "layer wholly dead, all numbers finite. A layer is ok with 1/1000 to 1000 times the last one's gradient, "
        "and less than 90 % dead or saturated; a healthy network can have others.",
        why="Training can start; how it ends depends on data, learning rate and optimiser. The limits are those "
        "that best part 400 networks that were trained. One draw can be luck: take several.",
        formula=("span = log10(max_l rms(∂L/∂z_l) / min_l rms(∂L/∂z_l)) ≤ 2.3",),
        examples=(Example("simulate --activation tanh --init lecun", "healthy", "span 1.0, trains: 92 %"),),
        try_next=(
            Example("simulate --activation tanh --init lecun --seeds 5", "healthy", "trains: 89 %"),
            Example(
                "simulate --activation tanh --init lecun --fail-on any",
                "healthy",
                "and a check for CI: it fails as soon as that changes",
            ),
        ),
        references=("Schoenholz et al. 2017", "Roy & Vetterli 2007 (rank)"),
        related=("score", "span", "width", "columns"),
        aliases=(
            "findings",
            "ok",
            "healthy-since",
            "ill-since",
            "nothing-to-learn",
            "still-guesses",
            "still-trains",
            "run-eagerly",
            "status",
            "verdict",
        ),
    ),
)
