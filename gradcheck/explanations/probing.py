"""How ``gradcheck probe`` judges a model that was not built to be measured."""

from gradcheck.explanations.topic import Example, Topic

#: Causes that are explained with the remarks.
ALIASES = (
    "softmax-twice", "sigmoid-twice", "softmax-over-batch", "nll-not-log", "not-probabilities", "labels-outside",
    "out-of-reach", "broadcast", "unregistered", "units-alike", "loss-cut", "output-cut", "nothing-trained",
    "outside-loss", "no-derivative", "inputs-alike", "labels-alike", "inputs-large", "dropout-all", "dropout-most",
    "flat-operation", "makes-zeros", "norm-of-one", "silent-before", "long-sequence", "loss-negated", "axes-swapped",
    "axes-viewed", "state-detached", "loss-of-probabilities", "loss-boundless", "examples-mixed", "state-not-passed",
    "sampled", "loss-floor", "targets-huge", "examples-unheard", "gradient-partial", "labels-uncounted",
    "logits-rectified", "output-ignored", "future-seen", "term-detached", "solved", "gradient-turned",
)  # fmt: skip

#: A model in the folder examples that trains.
HEALTHY = Example("probe models:healthy --input 8x32", "healthy")

PROBING = (
    Topic(
        name="trial",
        summary="what looks ill is trained before it is accused",
        what="A single measure may be beyond its limit in a network that trains all the same. probe then takes up to "
        "40 steps of Adam (120 where the loss is half way or falls ever faster, or the gradients have come together) "
        "at each of 3 rates, and puts the model back. It learns, and is healthy, if the loss falls by 30 % (by half "
        "where examples look alike); a chain that SGD hardly trains is then named.",
        why="Of 132 published architectures 44 were accused by limits alone. Not tried: what passes, what two measures "
        "say is hopeless, limits of your own, gradients that are zero or not finite; and nothing with --no-trial.",
        formula=(
            "learns: loss after ≤ 0.7 min(first loss, entropy of the labels)",
            "elasticity = ‖W‖ ‖∂L/∂W‖ / |L|, its median; lost below 1e-4",
            "large inputs: 10 steps of SGD, rate 0.1 for a constant answer of 1, make it explode",
            "tried, too: saturated layers whose loss starts > 10 times above guessing",
        ),
        examples=(Example("simulate --depth 30 --activation relu --init he --norm batch", "exploding", "span 2.34"),),
        try_next=(Example("simulate --depth 30 --activation relu --init he --norm layer", "healthy"),),
        references=("benchmarks/zoo.py",),
        related=("roles", "remarks", "frameworks", "score", "vanishing", "exploding", "collapsed"),
        aliases=(
            "trial-learns",
            "trial-fails",
            "needs-adam",
            "elasticity",
            "inputs-explode",
            "acquitted",
            "outputs-near",
            "inputs-small",
            "starts-far",
        ),
    ),
    Topic(
        name="training-trial",
        summary="simulate --trial: the network trained for real",
        what="The score is read off a first gradient. --trial trains the described network for real: plain SGD with "
        "momentum 0.9 on batches of the data, up to 120 steps at one learning rate after the other (0.03, 0.01, 0.1, "
        "0.003, 0.001) until it learns at one. It learns where the loss, the median of the last five batches, falls to "
        "0.7 of the smaller one of its start and of what the best constant answer costs. Of batches of fewer "
        "than 16 examples groups of 16 count.",
        why="On 60 networks trained at length the trial was right 52 times, the score 55; the verdict stays what the "
        "gradient makes it; --fail-on not-learning fails where the trial does. One seed gives the same losses, unless "
        "the time limit comes first (--trial-seconds, 20 of all rates together), which is said. It needs labels, and "
        "weights that are stored: no transformer.",
        formula=(
            "v ← 0.9 v + ∂L/∂W,  W ← W − rate · v",
            "learns: last loss ≤ 0.7 min(first loss, entropy of the labels)",
        ),
        examples=(Example("simulate --depth 12", "vanishing", "span 6.9, a factor of 0.235"),),
        try_next=(Example("simulate --depth 12 --activation tanh --trial", "healthy", "a factor of 0.894"),),
        references=("benchmarks/trials.py",),
        related=("score", "trial", "healthy"),
        aliases=("simulate-trial", "learns", "learning-rates", "trial-seconds"),
    ),
    Topic(
        name="remarks",
        summary="faults of model, batch or loss that leave gradients healthy",
        what="A gradient can be healthy and train the wrong thing. probe names outputs that can't reach their targets "
        "(a ReLU, a sigmoid at the end), outputs broadcast against targets, layers in a Python list that no optimizer "
        "sees, probabilities taken for logits or the converse, a softmax over the examples, labels "
        "that a loss doesn't take, units that all have the same weights, a loss of the wrong sign, examples that a "
        "view mixes up, a draw by sample(), bounded logits, labels that count for nothing.",
        why="Where a trial shows that the batch can't be learnt so, the verdict is not-learning. Else it is healthy, "
        "but --fail-on remarks fails on any of them, or on one by its name; any does not include them. What has no "
        "graph (.item(), detach(), argmax, no_grad), or nothing that is trained, is no-gradient.",
        formula=(
            "out of reach: mean (t - nearest output)² > 0.05 var t",
            "broadcast: (64, 1) - (64,) is (64, 64)",
        ),
        examples=(Example("probe models:softmax_at_the_end --input 8x32", "healthy", "loss-of-probabilities"),),
        try_next=(HEALTHY,),
        references=("Karpathy 2019, A recipe for training neural networks", "examples/models.py"),
        related=("doubts", "trial", "no-gradient", "not-learning", "score"),
        aliases=ALIASES,
    ),
    Topic(
        name="doubts",
        summary='what makes a verdict "healthy, but"',
        what="The gradient survives, and something beside it is out of the ordinary: a remark, or a size. Outputs so "
        "large that the loss starts at three times what a constant answer costs, as the read-out, residual blocks that "
        "add up, or the inputs are; targets far from 0 or a hundred times wider than 1; a likelihood beyond its "
        "numbers' size; a term of the loss that is zero, or drowns another; a dropout of nearly "
        "everything; layers whose gradient is a million times all others'; one that float16 rounds to zero; a chain "
        "that Adam trains and SGD hardly does; --steps that a trial of fewer outpaces.",
        why="Such a model may train, by a patient optimizer. So the verdict stays healthy, without a "
        "probability of training, and --fail-on doubts fails on any of them. Saturated layers whose loss starts at "
        "ten times what guessing costs are tried: where it stays there, they explode.",
        formula=("large: first loss > 3 × the entropy of the labels, or the targets' variance",),
        examples=(Example("probe models:large_readout --input 8x32", "healthy", "draw its weights smaller"),),
        try_next=(HEALTHY,),
        references=("Karpathy 2019, A recipe for training neural networks", "examples/models.py"),
        related=("remarks", "trial", "not-learning", "score"),
        aliases=(
            "readout-large",
            "branches-grow",
            "layers-grow",
            "targets-large",
            "targets-wide",
            "loss-outsized",
            "term-zero",
            "term-least",
            "term-drowned",
            "gradient-outsized",
            "rounds-to-zero",
            "logits-shrunk",
            "learns-late",
            "healthy-but",
        ),
    ),
    Topic(
        name="roles",
        summary="layers are compared with those of the same place in each block",
        what="Queries get less gradient than values, gates less than what they multiply, in every block alike: that "
        "says nothing of depth. So probe compares layers of one kind and one role, the path without the numbers of "
        "blocks and stages: layer1.0.conv1 and layer3.5.conv1 are both layer.conv1. Layers whose role no other of "
        "their kind has are compared with each other. Weights that start at zero shut off what is before them until "
        "training opens them: up to a dozen steps are taken, and the model is measured then and put back.",
        why="Compared by kind alone, a third of the published architectures lose decades between the roles of one "
        "block. A gate that never opens, because another zero is before or after it, is named.",
        formula=("span of a role = log10(largest gradient / smallest), the widest role counts",),
        examples=(Example("probe models:sixteen_convolutions --input 8x3x32x32", "vanishing", "span 6.3"),),
        try_next=(HEALTHY,),
        references=("Zhang, Dauphin & Ma 2019", "Bachlechner et al. 2021", "Peebles & Xie 2023", "examples/models.py"),
        related=("trial", "residual", "columns"),
        aliases=("role", "gates", "gate", "gates-shut", "opened"),
    ),
    Topic(
        name="frameworks",
        summary="what probe sees of Keras and JAX models, and of PyTorch's alone",
        what="gradcheck.keras.probe and gradcheck.jax.probe take every layer's output and gradient by the framework's "
        "own derivatives, as arrays. From there on all is the same: the numbers, the limits, the trial before an "
        "accusation, the report.",
        why="PyTorch keeps a graph of what was computed, and probe reads more from it: terms of a loss, recurrences "
        "step by step, heads of attention; and, unlike in Keras, what cuts a gradient off. Of a Keras or JAX model the "
        "loss itself is asked what it makes of other outputs: that tells what it takes them for, whoever wrote it. The "
        "last reason of such a report names what was not looked at: nothing is said of it, neither good nor bad.",
        formula=("one network in three frameworks, float64: every number within 1e-9",),
        examples=(Example("probe models:sixteen_convolutions --input 8x3x32x32", "vanishing", "span 6.3"),),
        try_next=(HEALTHY,),
        references=("docs/how-to/frameworks.md", "examples/models.py"),
        related=("trial", "roles", "remarks"),
        aliases=("not-looked-at", "keras", "flax", "equinox"),
    ),
)
