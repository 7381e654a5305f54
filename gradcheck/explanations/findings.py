"""What ``gradcheck diagnose`` finds in a log, beside what networks and layers can be called."""

from gradcheck.explanations.topic import Example, Topic

#: What every one of these pages ends with.
AND_IN_CI = "fails as soon as a log shows it, with --follow while it grows"


def _page(
    name: str, summary: str, what: str, why: str, formula: tuple[str, ...], references: tuple[str, ...],
    related: tuple[str, ...], aliases: tuple[str, ...] = (), verdict: str | None = None,
) -> Topic:  # fmt: skip
    """Return the page of a finding: its commands are those of every finding."""
    shown = Example("diagnose run.jsonl", name if verdict is None else verdict)
    checked = Example(f"diagnose run.jsonl --fail-on {name}", figures=AND_IN_CI)
    return Topic(name, summary, what, why, formula, (shown,), (checked,), references, related, aliases)


FINDINGS = (
    _page(
        "not-learning",
        "steps are taken, and the loss does not move",
        "From the first row of a log to the last, or over the steps that probe takes, the loss stays where it is: at "
        "ln(N), what guessing among N classes costs, or so quiet that nothing can have been learned.",
        "Gradients may look ordinary all the while. Try one batch alone: a model that can learn brings its loss near "
        "0. Then the usual order: learning rate (0, or far too small), labels shuffled apart from their inputs, "
        "softmax before a loss that takes logits, parameters that the optimizer doesn't have.",
        (
            "guessing among N classes: ln N; far above it: read-out too large",
            "ln 2 = 0.693, ln 10 = 2.303, ln 1000 = 6.908",
            "where a logarithm is clamped: −ln 1e-7 = 16.12, −ln 1e-12 = 27.63,",
            "−ln of the least float32 = 87.34, BCELoss: 100; outputs are saturated",
            "probe, from 20 full steps on: the first batch's loss moves < 0.1 %,",
            "parameters < 1e-7 of their size a step, or outputs become alike",
        ),
        ("Goodfellow, Bengio & Courville 2016, ch. 11",),
        ("vanishing", "no-gradient", "loss-rises"),
        (
            "stuck",
            "stagnation",
            "plateau",
            "flat",
            "softmax",
            "logits",
            "loss",
            "loss-course",
            "at-start",
            "learning",
            "unmoved",
            "barely-moved",
            "outputs-alike",
            "loss-still",
            "loss-no-lower",
            "trained-before",
            "hardly-learnt",
            "outpaced",
            "first-loss",
        ),
    ),
    _page(
        "loss-rises",
        "the loss rises for good, while norms look ordinary",
        "From its best on the loss rises by two fifths or more, over a quarter of the run, and does not turn back; or "
        "it grows a hundredfold, however late. One that falls again, as after a warm restart, is none; one that "
        "is ever zero or negative must lose all that it had gained.",
        "The step is too large for what is left to learn, or it points the wrong way: a sign, gradients that are "
        "never set to zero. If the logged norm is that of the clipped gradient, it hides how large the gradient is.",
        (
            "median of the last blocks > 1.4 × the best block's, without a drawdown of a quarter",
            "probe --steps: the first batch's loss ends > 1.1 × its start, and so does the last third",
        ),
        ("Goodfellow, Bengio & Courville 2016, ch. 11",),
        ("loss-jump", "not-zeroed", "exploding"),
        ("divergence", "diverging", "loss-risen"),
    ),
    _page(
        "loss-jump",
        "the loss jumps from one row to the next, and stays up",
        "Within one row the loss rises by three quarters or more, and half of that is still there at the end; the "
        "gradient's norm shows nothing, or isn't logged. It weighs less than a jump of the gradient, and is a note "
        "where the loss falls again nearly to where it was: new data that are learnt.",
        "One step threw the weights somewhere else, or the data changed. Skip the batches of these steps from a "
        "checkpoint before: if it comes again elsewhere it is the learning rate, if it doesn't it was the data.",
        ("median of the rows from there on − median of the twelve before > 3/4 of that",),
        ("Chowdhery et al. 2022 (PaLM), sec. 5.1",),
        ("spikes", "loss-rises"),
        ("jump",),
    ),
    _page(
        "spikes",
        "single gradients far above the spread of the others",
        "A norm ten times those on both sides, and above what the tail of the run's own norms reaches by chance. In a "
        "run with heavy tails that takes more. Spikes of the loss where the norm has none are a note, and so are those "
        "below tenfold: 1.8 times those on both sides, and ten times the spread of a quiet loss.",
        "A spike does harm through the step that it makes: clip at what only spikes reach. Adam's second moments "
        "remember it for about 1/(1 − beta2) steps. Look at its batch: a broken example comes back every epoch.",
        ("log10 norm − max(median before, median after) > max(1, tail of the run)",),
        ("Pascanu, Mikolov & Bengio 2013", "Renyi 1953 (spacings)"),
        ("clipping", "always-clipped", "exploding", "too-short"),
        ("spike", "burst"),
    ),
    _page(
        "no-gradient",
        "what is to be trained never receives a gradient",
        "Of a log: the gradient of a parameter, or the norm of all, is zero or missing in every row. Of a model: all "
        "that is trained has a gradient of exactly zero, or the loss depends on layers that no gradient reaches. "
        "Layers that are frozen, or that the loss doesn't depend on, are none of these.",
        "Another activation does not help. Of a layer: is its output detached (detach(), no_grad(), .data, argmax)? "
        "Of all: both factors of an adapter at zero, adapters beside re-entrant checkpointing, everything frozen, all "
        "labels masked, learning rate 0.",
        ("of a log: norm = 0 in all rows; of a layer: zero or missing in all rows",),
        ("PyTorch, torch.utils.checkpoint", "Hu et al. 2022 (LoRA: one factor of two at zero)"),
        ("dead", "zeros", "not-computed", "update-ratio"),
        (
            "disconnected",
            "unused",
            "detached",
            "all-zero",
            "frozen",
            "frozen-body",
            "rounding",
            "checkpoint-inputs",
            "hidden-layers",
            "not-held",
        ),
    ),
    _page(
        "zeros",
        "in many rows the gradient is exactly zero",
        "A fifth of the rows or more have a norm of exactly 0, and others don't. A gradient that is merely small is "
        "not exactly zero: in these steps no example has a loss that depends on the weights.",
        "A policy gradient vanishes where all rewards of a group are alike: its advantages are zero. A margin loss "
        "does so where all margins are satisfied: then the loss gets better, and it is only a note.",
        ("share of rows with norm = 0 ≥ 20 %, five rows at least",),
        ("Shao et al. 2024 (GRPO)", "Yu et al. 2025 (DAPO, dynamic sampling)"),
        ("no-gradient", "not-computed"),
    ),
    _page(
        "not-computed",
        "a norm of 0 in every row of a run that learns",
        "The loss moves, so the weights do, so there is a gradient: the 0 in the log is a place that nobody filled "
        "in, or a small norm that text shows as 0.00. The loss is judged instead.",
        "Some engines compute the norm only if they clip, or under another name. Print it with %.3e.",
        ("norm = 0 in all rows, and the loss moves by more than 5 % and its noise",),
        ("DeepSpeed, get_global_grad_norm",),
        ("no-gradient", "scaled-norms"),
        verdict="",
    ),
    _page(
        "tiny",
        "the gradient norm is tiny in every row",
        "The norm of all gradients is below 1e-7 in every row of the log. Its course is judged as any other's: this is "
        "a note on its unit.",
        "Something divides it: a loss that is averaged twice, accumulation, a loss scale taken out twice. Plain SGD "
        "then hardly moves; Adam divides by the root of the squares plus eps (1e-8), and where eps is larger it hardly "
        "moves either. Multiply the loss, or take a smaller eps.",
        ("Adam: step = lr m / (sqrt(v) + eps)",),
        ("Kingma & Ba 2015, sec. 2",),
        ("scaled-norms", "vanishing", "not-learning"),
        verdict="",
    ),
    _page(
        "scaled-norms",
        "the logged norms have the loss scale in them",
        "In mixed precision the loss is multiplied by a scale before backward(), and so are the gradients until they "
        "are unscaled. A norm that is taken in between moves whenever the scale does; divided by the scale it is "
        "steady.",
        "The norms are divided here, and judged so. A threshold of clipping would be compared with the wrong number: "
        "see clipped-scaled.",
        ("log10 norm = log10 scale + rest: slope about 1, and the rest is steadier",),
        ("Micikevicius et al. 2018",),
        ("clipped-scaled", "nonfinite", "tiny"),
        verdict="",
    ),
    _page(
        "clipped-scaled",
        "clipping before unscaling shrinks every step",
        "The gradients that are clipped are still multiplied by the loss scale, 65536 at first. Clipped to 1 and then "
        "divided, they have a norm of 1/65536.",
        "Training crawls, and no learning rate that is usual for the model works. Call scaler.unscale_(optimizer) "
        "right before clipping.",
        ("norm after clipping × loss scale = threshold, in every row",),
        ("Micikevicius et al. 2018", "PyTorch, automatic mixed precision examples"),
        ("always-clipped", "scaled-norms"),
    ),
    _page(
        "always-clipped",
        "clipping acts in nearly every step",
        "95 % of the steps are clipped: each has the same length, whatever its gradient. That is a lower learning rate "
        "under another name, and normalised descent in place of what was meant.",
        "It can be meant. Otherwise take a threshold that only unusual gradients reach, and lower the learning rate.",
        ("share of norms above the threshold ≥ 95 %; rate left = mean of min(1, threshold/norm)",),
        ("Pascanu, Mikolov & Bengio 2013",),
        ("clipping", "never-clipped", "clipped-scaled", "drifting"),
    ),
    _page(
        "drifting",
        "the gradient norm grows steadily along the run",
        "From its lowest to the end of the log the norm grows twentyfold and more, block by block, over half of the "
        "run or longer. It doesn't explode: the loss gets better, or the growth is below a hundredfold.",
        "Weights or logits that grow make gradients grow with them; so does a value whose targets grow. A fixed "
        "threshold clips ever more of the steps. It is a note: watch it with --follow.",
        ("log10 norm: last block − lowest block > 1.3, no jump, no fall in between",),
        ("gradcheck diagnose --help",),
        ("exploding", "always-clipped"),
        ("drift",),
        verdict="",
    ),
    _page(
        "never-clipped",
        "the clipping threshold is never reached",
        "No step was clipped. The threshold is a safety net, if it is not so far up that it would come too late.",
        "It is a note, not an accusation. The table of percentiles says what would clip one step in a hundred.",
        ("largest norm ≤ threshold",),
        ("Pascanu, Mikolov & Bengio 2013",),
        ("clipping", "always-clipped"),
        verdict="",
    ),
    _page(
        "update-ratio",
        "updates are too small or too large for the weights",
        "About 1/1000 of the weights' norm a step is usual. Below 1/10,000 in nine of ten steps a layer stands still; "
        "above 1/10 mostly, it forgets what it was.",
        "The ratio has the learning rate in it, which a gradient's norm has not: of two runs with the same norms one "
        "may stand still.",
        ("‖update‖ / ‖weights‖, usual: 1e-4 to 1e-1",),
        ("A. Karpathy, lecture notes of CS231n",),
        ("not-learning", "no-gradient", "learning-rate"),
        ("update", "update-norm"),
    ),
    _page(
        "huge",
        "loss and gradient are huge from the first row on",
        "A loss of 3e8 with a norm of 8e5 that gets no better is what an explosion leaves, from before the log "
        "begins; or inputs and targets have units in which such numbers are small.",
        "The limit is absolute, as few are here: a run that was huge from the start has nothing to be compared with.",
        (
            "median |loss| > 1e6, median norm > 1e4, and no progress; a note: |loss| > 1e4, no norm",
            "first |loss| > 1e12, and its root or less in the end, or 1e20 still",
        ),
        ("LeCun et al. 1998 (scaling of inputs)",),
        ("exploding", "not-learning"),
    ),
    _page(
        "not-zeroed",
        "the gradients of the step before are still there",
        "backward() adds to what is there. Without optimizer.zero_grad() each step follows the sum of all gradients "
        "so far: momentum without friction. A recorder notes what was there when backward() began.",
        "The norm grows with the steps and the loss swings wider and wider, as if the learning rate were too large; a "
        "lower one only makes it slower.",
        ("g_t = Σ_{s≤t} ∇L_s in place of ∇L_t",),
        ("PyTorch, torch.optim",),
        ("loss-rises", "exploding"),
        ("zero-grad", "grad-left"),
    ),
    _page(
        "too-short",
        "fewer than 20 rows are no ground for a verdict",
        "With fewer than 20 rows a run has no course: a typical row, its spread and a trend can't be told apart. "
        "Growth in every row (of a loss threefold), a row far above all others and numbers that aren't finite are "
        "found all the same.",
        "Nothing was found is not the same as healthy. Log more often, or come back later.",
        ("rows with a loss or a gradient norm < 20",),
        ("gradcheck diagnose --help",),
        ("huge", "not-learning"),
        ("short", "too-few"),
    ),
)
