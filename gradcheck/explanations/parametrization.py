"""What follows the width of a network, and so whether a learning rate does."""

from gradcheck.explanations.topic import Example, Topic

PARAMETRIZATION = (
    Topic(
        name="parametrization",
        summary="what follows the width: in mup a learning rate holds at any",
        what="How variance, multiplier and rate of each matrix follow the width n. transfer trains networks of several "
        "widths and fits size = c n^k: of each output at the start, of its change, and of what its own weights add to "
        "it (own update). k = 0 transfers; ±1/4 is the limit, for wrong ones are multiples of 1/2.",
        why="A rate tuned on a narrow network then holds on a wide one. mup is the parametrisation in which all "
        "layers move as far as they can. The logits, and attention's scores, may start smaller.",
        formula=(
            "mup of    variance  multiplier  rate: SGD  Adam",
            "input     1         1           n          1",
            "hidden    1/n       1           1          1/n",
            "output    1         1/n         n          1",
            "scores times 1/d, not 1/√d; with depth L branches, and Adam's rate, 1/√L",
        ),
        examples=(Example("transfer --param standard --width 32,64,128", "grows"),),
        try_next=(Example("transfer --width 32,64,128", "transfers"),),
        references=("Yang & Hu 2021", "Yang, Hu et al. 2022", "Yang, Yu et al. 2023", "Bordelon et al. 2023"),
        related=("width", "learning-rate", "grows", "shrinks"),
        aliases=(
            "parametrisation", "mup", "mu-parametrization", "maximal-update", "transfer", "transfers", "keeps",
            "coordinate-check", "unclear", "still", "zero", "depth-mup", "change",
            "own-update",
        ),
    ),
    Topic(
        name="grows",
        summary="outputs or updates grow with the width: wide ones diverge",
        what="update-grows: what a matrix gains in a step moves its output as a power of the width. start-grows: the "
        "output does before training. change-grows: it moves, though its own gain keeps its size: its initial "
        "weights carry the movement of what comes in. scores-align: divided by √d, scores grow as √d in training.",
        why="The largest rate that trains falls with the width: each width has to be tuned. Divide that matrix's "
        "rate, or its initial deviation, by the power that the report names.",
        formula=("standard: hidden updates n^1/2 (SGD), n (Adam); logits n",),
        examples=(Example("transfer --param standard --optimizer sgd", "grows"),),
        try_next=(Example("transfer --optimizer sgd", "transfers"),),
        references=("Yang & Hu 2021", "Yang, Hu et al. 2022, section 5"),
        related=("parametrization", "exploding", "diverges"),
        aliases=(
            "grows-with-width", "update-grows", "change-grows", "start-grows", "size-grows", "scores-align",
            "not-finite",
        ),
    ),
    Topic(
        name="shrinks",
        summary="updates shrink with the width: features stand still",
        what="update-shrinks: what a matrix gains in a step moves its output less the wider the network is. "
        "start-shrinks: the output is smaller before training. lazy: hidden layers move as 1/√n and the logits as "
        "far as ever, which is the limit of the neural tangent kernel (ntk).",
        why="A wide lazy network is a kernel machine: it learns no features, and more width helps less. Under mup "
        "each layer moves as far as a narrow one's.",
        formula=("ntk: change of hidden outputs n^-1/2, of the logits 1",),
        examples=(Example("transfer --param ntk", "shrinks"),),
        try_next=(Example("transfer", "transfers"),),
        references=("Jacot, Gabriel & Hongler 2018", "Chizat, Oyallon & Bach 2019", "Yang & Littwin 2023"),
        related=("parametrization", "vanishing"),
        aliases=(
            "shrinks-with-width", "lazy", "ntk", "neural-tangent-kernel", "update-shrinks", "change-shrinks",
            "start-shrinks", "size-shrinks",
        ),
    ),
    Topic(
        name="diverges",
        summary="networks that are compared diverge: the rate is too high",
        what="A network diverges where an output or its loss is no longer finite, or the loss is above four times its "
        "first value and a hidden output has moved further than it was large. transfer says at which widths, and "
        "judges the steps before; where some hold on, the first step too.",
        why="What runs away has no size that could follow the width. At all widths, or at some before anything grows, "
        "the rate at the base is too high: lower it, and compare again. Beside growth it is what growth leads to. "
        "--fail-on ends with 1 on any verdict asked for, as nothing else is known.",
        formula=("loss > 4 · first loss, while ‖change‖ > ‖output at start‖",),
        examples=(Example("transfer --optimizer sgd --lr 30 --width 32,64,128", "diverges"),),
        try_next=(Example("transfer --optimizer sgd --width 64,128,256", "transfers"),),
        references=("Lewkowycz et al. 2020",),
        related=("grows", "learning-rate", "exploding"),
        aliases=("networks-diverge", "rate-too-high"),
    ),
)  # fmt: skip
