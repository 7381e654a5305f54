"""What decides whether a gradient survives, and so what fixes it."""

from gradcheck.explanations.topic import Example, Topic
from gradcheck.spec import names

#: Frameworks without a page that has their name.
OTHER_FRAMEWORKS = ("haiku", "paddle", "sklearn", "mlx", "tinygrad", "jax-vit")

CAUSES = (
    Topic(
        name="chain-rule",
        summary="backpropagation multiplies one factor a layer",
        what="Each layer changes the gradient's size by a factor, its gain, and the factors multiply. In 50 layers, "
        "49 factors, 0.9 becomes 0.006, and 1.1 becomes 107.",
        why="Look for the one factor that all layers have, not for a broken layer.",
        formula=("δ_l = φ'(z_l) (δ_{l+1} W_{l+1}ᵀ),  δ_l = ∂L/∂z_l", "gain_l = rms(δ_l) / rms(δ_{l+1})"),
        examples=(Example("simulate --depth 8 --width 32", "vanishing", "span 4.4, a factor of 0.232"),),
        try_next=(Example("simulate --depth 8 --width 32 --activation tanh", "healthy", "span 0.5, a factor of 0.84"),),
        references=("Rumelhart, Hinton & Williams 1986", "Hochreiter 1991"),
        related=("vanishing", "exploding", "activations", "verification"),
        aliases=("chain", "backpropagation", "backprop", "gain", "local-gain", "product"),
    ),
    Topic(
        name="initialisation",
        summary="how large the weights start decides the factor of every layer",
        what="A sum of fan_in terms is √(fan_in) times as large as one. The weights' standard deviation has to undo "
        "that, and what the activation takes away: a ReLU lets half of the mean square through.",
        why="The right law makes each layer's factor 1. Wrong by a factor g, it is wrong by g^50 after 50 layers.",
        formula=(
            "variance: lecun 1/fan_in, xavier 2/(fan_in + fan_out), he 2/fan_in",
            "torch_default 1/(3 fan_in); orthogonal: all singular values 1",
            "relu: a factor of √(fan_out variance/2) back, 0.707 of xavier",
            "a layer's factor by default       relu   tanh near 0",
            "torch, equinox, mlx, tinygrad     0.408  0.577",
            "haiku                             0.622  0.88",
            "keras, flax, paddle, sklearn      0.707  1",
            "gpt2 of width 768                 0.392  0.554",
        ),
        examples=(Example("simulate --activation relu --init torch", "vanishing", "span 18.9, a factor of 0.411"),),
        try_next=(Example("simulate --activation relu --init he", "healthy", "span 0.1, a factor of 0.999"),),
        references=("LeCun et al. 1998", "Glorot & Bengio 2010", "He et al. 2015", "Saxe et al. 2014"),
        related=("activations", "theory", "width"),
        aliases=("initialization", "init", "defaults", "law", *OTHER_FRAMEWORKS, *names.INITIALIZERS),
    ),
    Topic(
        name="activations",
        summary="the slope of the activation is a factor in every layer",
        what="On its way back the gradient is multiplied by φ'(z). That of a sigmoid is at most 1/4, which costs "
        "0.6 decades a layer; that of tanh is 1 at 0; a ReLU passes half of the entries whole.",
        why="It also shapes the forward pass: outputs that are all positive (sigmoid, softplus) point one way, so "
        "that examples become alike. And each needs its own weights: relu he, tanh and selu lecun.",
        formula=("largest φ': sigmoid 0.25, tanh and relu 1, gelu 1.13, selu 1.76, step 0",),
        examples=(
            Example(
                "compare --init lecun --activation sigmoid,tanh,relu,selu", figures="ranked: selu, tanh, relu, sigmoid"
            ),
            Example("simulate --init lecun", "vanishing", "span 30.9, a factor of 0.234, rank 1.0"),
        ),
        try_next=(
            Example("simulate --init lecun --activation selu", "healthy", "span 0.8, a factor of 1.04"),
            Example("simulate --init he --activation relu", "healthy", "span 0.1, a factor of 0.999"),
        ),
        references=("Glorot & Bengio 2010", "He et al. 2015", "Klambauer et al. 2017", "gradcheck list activations"),
        related=("initialisation", "saturated", "dead", "collapsed"),
        aliases=("activation", "steepest", "kinks", *names.ACTIVATIONS, *names.GATED),
    ),
    Topic(
        name="normalisation",
        summary="scales pre-activations: the weights' size stops mattering",
        what="layer takes mean and standard deviation over an example's units, rms the scale only, batch over the "
        "examples (its own page). The weights may be ten times too large: the norm divides it out, both ways.",
        why="It undoes a wrong size, not a small slope: a sigmoid's factor is 0.387 after a layer norm.",
        formula=(
            "layer: (z − mean)/√(variance + 1e-5),  rms: z/√(mean z² + 1e-5)",
            "norm(c z) = norm(z), and its derivative at c z is 1/c of that at z",
        ),
        examples=(
            Example("simulate --norm layer", "vanishing", "span 20.2, a factor of 0.387"),
            Example("simulate --depth 30 --activation tanh --gain 3", "exploding", "span 3.9"),
        ),
        try_next=(
            Example("simulate --depth 30 --activation tanh --gain 3 --norm layer", "healthy", "span 1.1"),
            Example("simulate --norm layer --residual", "healthy", "span 1.7"),
        ),
        references=("Ba, Kiros & Hinton 2016", "Zhang & Sennrich 2019"),
        related=("batch-norm", "residual", "transformers"),
        aliases=("normalization", "norm", "layer", "rms", "layer-norm", "layernorm", "rms-norm", "rmsnorm"),
    ),
    Topic(
        name="batch-norm",
        summary="tames the signal, and makes the gradient explode with depth",
        what="Each unit is centred and scaled over the batch. Nothing overflows or collapses in the forward pass, "
        "but at initialisation the gradient grows on its way back at every layer, whatever the weights' size.",
        why="No change of gain helps: the norm divides it out. Skip connections lessen it (2.46 in place of 4.14 "
        "decades below), and so does an activation that is nearly linear; a layer norm avoids it.",
        formula=(
            "growth of the squared gradient a layer, large batch, relu: π/(π − 1),",
            "so 1.21 of the gradient; linear, batch B: (B − 2)/(B − 3)",
        ),
        examples=(
            Example("simulate --activation relu --init he --norm batch", "exploding", "span 4.1, a factor of 1.21"),
        ),
        try_next=(
            Example("simulate --activation relu --init he --norm layer", "healthy", "span 0.3"),
            Example("simulate --activation tanh --norm batch", "healthy", "span 2.1, a factor of 1.1"),
        ),
        references=("Ioffe & Szegedy 2015", "Yang et al. 2019", "De & Smith 2020"),
        related=("normalisation", "residual", "exploding"),
        aliases=("batch", "batchnorm", "norms-follow"),
    ),
    Topic(
        name="residual",
        summary="a way round each layer, on which the gradient passes as it is",
        what="Each layer adds to what passes by it. The derivative is the identity plus the layer's own: even where "
        "that is tiny, the gradient arrives whole.",
        why="So it hardly vanishes, but it can explode: where a layer adds as much as passes by, the sum grows by a "
        "factor a layer, both ways. A norm before the activation keeps what each layer adds at one size, however "
        "large the sum.",
        formula=(
            "x_l = x_{l−1} + a φ(z_l),  ∂x_l/∂x_{l−1} = 1 + a ∂φ(z_l)/∂x_{l−1}",
            "to keep the size over depth L: a near 1/√(L) (--residual-scale)",
        ),
        examples=(
            Example("simulate --residual", "healthy", "span 1.0, a factor of 1.04"),
            Example("simulate --activation relu --init he --residual", "exploding", "span 10.8, a factor of 1.66"),
        ),
        try_next=(
            Example(
                "simulate --activation relu --init he --residual --norm layer", "healthy", "span 1.7, a factor of 1.08"
            ),
        ),
        references=("He et al. 2016", "Yang & Schoenholz 2017", "Zhang, Dauphin & Ma 2019"),
        related=("normalisation", "transformers", "vanishing", "exploding"),
        aliases=("skip", "skips", "skip-connections", "resnet", "residual-scale"),
    ),
    Topic(
        name="width",
        summary="narrow deep networks are a lottery: chance is depth over width",
        what="Every factor fluctuates with the draw of the weights, the more the fewer units a layer has, and the "
        "fluctuations multiply as the factors do. Theory of infinite width tells the mean, not your draw.",
        why="Of 20 draws of 50 ReLU layers, layer 1's gradient ratio covers 3.0 decades at width 16, 0.4 at 256. "
        "One seed says little of a narrow network: --seeds gives the mean, the JSON the extremes.",
        formula=("Var[ln ‖gradient‖] grows as Σ_l 1/width_l, which is depth/width",),
        examples=(Example("simulate --width 16 --activation relu --init he --seeds 5", "collapsed", "rank 1.1"),),
        try_next=(
            Example("simulate --width 256 --activation relu --init he --seeds 5", "healthy", "span 0.15, rank 3.2"),
            Example("simulate --width 16 --residual --norm layer --seeds 5", "healthy", "rank 7.7"),
        ),
        references=("Hanin 2018", "Hanin & Nica 2020"),
        related=("theory", "dead", "collapsed", "weightless", "parametrization"),
        aliases=("depth", "seeds", "finite-width", "luck"),
    ),
)
