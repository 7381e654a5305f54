"""What the columns of the tables of ``theory``, ``compare`` and ``verify`` mean, and the verdicts of theory."""

from gradcheck.explanations.topic import Example, Topic

TABLES = (
    Topic(
        name="growing",
        summary="theory: the gradient grows, or shrinks, on its way back",
        what="theory follows the gradient from the last layer back. growing: it is larger at the first one; shrinking: "
        "smaller; steady: by less than 0.005 decades. That is no fault yet, most networks have some slope. Above 2.3 "
        "decades plain SGD mostly fails: there simulate says exploding, or vanishing. no answer: the reason says why.",
        why="With plain SGD the first layers take steps that are larger, or smaller, by that factor, and one rate has "
        "to suit all; Adam divides by the gradient's own size. gpt2 grows by 0.85 decades in 12 blocks, a factor of 7.",
        formula=(
            "growing: log10(r_1 / r_last) > 0.005,  r_l = rms of ∂L/∂z_l",
            "exploding: span > 2.3 decades, the strongest layer nearer to the input",
        ),
        examples=(
            Example("theory --preset gpt2", "growing", "a factor of 1.18"),
            Example("simulate --activation tanh --gain 2", "exploding", "span 3.3, a factor of 1.17"),
        ),
        try_next=(Example("simulate --arch transformer --blocks 24", "healthy", "rank 21.8"),),
        references=("benchmarks/calibrate.py (the limit)", "Schoenholz et al. 2017"),
        related=("theory", "exploding", "vanishing", "blocks"),
        aliases=("shrinking", "steady", "no-answer"),
    ),
    Topic(
        name="blocks",
        summary="the columns of theory's table of a transformer",
        what="theory has a row for each block, simulate one for each of its flow points: attention and mlp, what a "
        "branch adds, and residual, the stream after it. A branch adds less and less beside a stream that grows.",
        why="Where the tokens' cosine nears 1, nothing tells positions apart: collapsed. Where attended nears 1, the "
        "softmax of the scores is saturated, and hardly any gradient passes to queries and keys.",
        formula=(
            "gradient         of the stream, over that after the last block",
            "stream           standard deviation of the residual stream",
            "attention adds   standard deviation of what attention adds to it",
            "mlp adds         the same of the MLP",
            "tokens' cosine   mean cosine of two tokens of a sequence",
            "attended         tokens that share a head's weight: 1/Σ p²",
        ),
        examples=(
            Example("theory --arch transformer --blocks 24", "growing", "a factor of 1.04"),
            Example("simulate --arch transformer --blocks 24 --norm-placement post", "collapsed", "rank 1.2"),
        ),
        try_next=(Example("simulate --arch transformer --blocks 24", "healthy", "rank 21.8"),),
        references=("gradcheck schema theory (every number)", "Cowsik et al. 2024"),
        related=("transformers", "growing", "columns", "collapsed"),
        aliases=(
            "block", "stream", "residual-stream", "attention-adds", "mlp-adds", "tokens-cosine", "token-cosine",
            "attended", "score-std", "heads", "flow-point", "flow-points", "token-gap-factor",
        ),
    ),
    Topic(
        name="ranking",
        summary="the columns of compare, and which network comes first",
        what="compare simulates every combination of the values given, and ranks by the probability to train; --sort "
        "takes span, gain, rank or grid. Of each row it says what differs from the best by; of --group-by how many "
        "rows are healthy, how many have errors, and the median and the worst: at worst. --baseline says how many "
        "decades each layer's gradient has moved since an earlier report.",
        why="One change at a time misses pairs that need each other, as an activation and its initialisation do.",
        formula=(
            "trains   probability that plain SGD trains it",
            "span     decades between the strongest and the weakest layer",
            "gain     factor of the gradient a layer; ± half its range over seeds",
            "rank     directions in which examples differ after the last layer",
        ),
        examples=(
            Example("compare --depth 20 --init xavier,he --activation relu", "", "ranked: he, xavier"),
            Example("simulate --depth 20 --activation relu", "vanishing", "span 2.8"),
        ),
        try_next=(Example("simulate --depth 20 --activation relu --init he", "healthy", "span 0.06"),),
        references=("gradcheck schema compare (every number)",),
        related=("score", "span", "columns"),
        aliases=(
            "compare", "differs-from-the-best-by", "at-worst", "rows", "errors", "group-by", "sort", "sweep", "grid",
            "baseline", "moved", "now", "regression",
        ),
    ),
    Topic(
        name="verification",
        summary="the columns of verify, which checks gradcheck itself",
        what="verify compares each derivative that the engine computes with central differences of the function "
        "itself, on this machine: kind and check name the part, error is the largest relative difference in random "
        "directions, limit what rounding explains; above it the check fails, and verify ends with 1.",
        why="A processor, a BLAS or a NumPy that computes wrongly shows there before a verdict rests on it.",
        formula=("error = |g vᵀ − d| / max(‖g‖ ‖x‖, |d|),  v random", "d = (f(x + h v) − f(x − h v)) / 2h"),
        examples=(Example("simulate --depth 12", "vanishing", "span 6.9, a factor of 0.235"),),
        try_next=(Example("simulate --depth 12 --activation tanh", "healthy", "span 0.5"),),
        references=("gradcheck schema verify (every number)",),
        related=("chain-rule", "columns"),
        aliases=("verify", "check", "checks", "error", "limit", "central-differences"),
    ),
)  # fmt: skip
