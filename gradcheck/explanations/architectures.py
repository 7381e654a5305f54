"""Architectures in which gradients take other paths, and what training can do."""

from gradcheck.explanations.topic import Example, Topic
from gradcheck.spec import names
from gradcheck.spec.clip_libraries import OWN, table_of

ARCHITECTURES = (
    Topic(
        name="recurrence",
        summary="a recurrent network is as deep as its sequence is long",
        what="The gradient goes back through time, through the same matrix at every step: factors that are below 1 "
        "forget the first steps, above 1 they explode. Here a layer of the table is a step.",
        why="An LSTM's memory passes by the matrix: its factor is the forget gate, f. With f = 1 − 1/T it remembers "
        "over about T steps: a --forget-bias near ln T. (At 4.16, for 64 steps, it grows by 2.6 decades instead.)",
        formula=("δ_t = φ'(z_t) (δ_{t+1} W_hᵀ);  lstm: c_t = f c_{t−1} + i g",),
        examples=(
            Example("simulate --arch rnn --recurrent-gain 2", "exploding", "span 5.1, a factor of 1.21"),
            Example("simulate --arch rnn", "vanishing", "span 2.8, a factor of 0.902"),
        ),
        try_next=(
            Example("simulate --arch rnn --init orthogonal", "healthy", "span 1.4, a factor of 0.949"),
            Example("simulate --arch lstm", "healthy", "span 1.0, a factor of 0.964"),
        ),
        references=("Bengio, Simard & Frasconi 1994", "Hochreiter & Schmidhuber 1997", "Tallec & Ollivier 2018"),
        related=("chain-rule", "clipping", "vanishing"),
        aliases=("recurrent", *names.RECURRENT, "steps", "forget-bias", "recurrent-gain", "forgets", "memory"),
    ),
    Topic(
        name="transformers",
        summary="where the norm sits decides whether depth is free",
        what="Attention and MLP each add to the residual stream. A norm on the branch (pre) leaves the stream a "
        "free way back. A norm on the sum (post) scales down what came before, block by block.",
        why="Attention averages tokens: without a strong stream beside it they become alike, the rank falls to 1, "
        "and nothing can tell positions apart. The table has three flow points a block.",
        formula=(
            "pre: x + F(norm(x)),  post: norm(x + F(x))",
            "--residual-scale gpt2: last matrix of a branch times 1/√(2 blocks)",
        ),
        examples=(
            Example("theory --arch transformer --blocks 24", "growing", "a factor of 1.04"),
            Example("simulate --arch transformer --blocks 24 --norm-placement post", "collapsed", "rank 1.2"),
        ),
        try_next=(Example("simulate --arch transformer --blocks 24", "healthy", "rank 21.8"),),
        references=("Xiong et al. 2020", "Dong, Cordonnier & Loukas 2021", "Noci et al. 2022", "Cowsik et al. 2024"),
        related=("theory", "residual", "normalisation", "blocks"),
        aliases=(
            "transformer", "attention", "pre-norm", "post-norm", "norm-placement", "pre", "post",
            *names.RESIDUAL_SCALES,
        ),
    ),
    Topic(
        name="clipping",
        summary="shortens steps that are too long; no cure for the network",
        what="Where the loss has a wall, one step along its gradient throws the weights far away. Clipping bounds "
        "the step. One factor for all tensors (global-norm) keeps its direction; value turns it.",
        why="It saves runs that explode now and then. It can't raise a gradient that vanished; with a threshold below "
        "the usual norm it is a smaller learning rate. Libraries differ at the edges of the rule (clip-demo --as):",
        formula=("g min(1, c/‖g‖), ‖g‖ over all tensors: global-norm:c",),
        examples=(Example("clip-demo --clip none", "diverged"),),
        try_next=(Example("clip-demo --clip global-norm:0.15", "learned"),),
        table=(
            ("global-norm", "an infinity", "c = 0", "c < 0", "float16", "listed twice"),
            *table_of(OWN, "global-norm", ("infinity", "at_zero", "below_zero", "half", "twice")),
        ),
        references=("Pascanu et al. 2013", "Zhang et al. 2020", "Brock et al. 2021 (agc)"),
        related=("exploding", "recurrence", "learning-rate"),
        aliases=("clip", "gradient-clipping", "global-norm", "agc", "rate-left", "rate-lost", "max-norm",
                 "grad-norm", "grad-norm-after", "largest-norm", "clipped", "clipped-to", "accuracy", "learned",
                 "diverged", "stopped", "clips", "clips-of-all", "as-threshold", "gradient-norm", "strategy"),
    ),
)  # fmt: skip
