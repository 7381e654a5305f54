"""What a column's name means by its words, where it is none of the usual names."""

import re
from collections.abc import Iterable, Sequence


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Words of numbers that aren't of the training.
VALIDATION = _set("val valid validation validating eval evaluation evaluating test testing dev holdout")

#: Words of numbers that are.
OF_TRAINING = _set("train training trn")

#: Words that leave a quantity what it is.
PLAIN = _set(
    "train training trainer global total tot overall whole all full model avg average mean running smooth smoothed ema "
    "current cur step batch minibatch mini epoch iter iteration update the is was of at raw local reduced lm mlm "
    "metric metrics info debug root main log logger stats optim optimizer optimiser final last student trn unnamed"
)

#: Words of the mean of several steps, which hides what a single one shows.
AVERAGED = _set("avg average mean running smooth smoothed ema")

#: Words of a gradient, of a norm, of both at once, of a loss, of a step and of an epoch.
GRADIENT = _set("grad grads gradient gradients")
NORM = _set("norm norms l2")
GRADIENT_NORM = _set("gnorm gradnorm ggnorm")
L2 = _set("l 2")
LOSS = _set("loss losses nll ce xent objective cost")

#: Words of the exponential of a loss.
PERPLEXITY = _set("ppl perplexity")

#: Words of what is maximised, as by Kaldi: its negative is a loss.
MAXIMISED = _set("objf")

#: Words of an error that falls as a loss does, where a log has no loss.
ERROR = _set("err error mse rmse mae")

#: Words of a cost that is time.
OF_TIME = _set("batch reader data time")

#: Words of numbers that stand beside a cost that is time.
OF_SPEED = _set("reader data time ips eta samples speed sec seconds images tokens")

STEP = _set("step steps iter iters iteration iterations update updates nupdates timestep timesteps")

EPOCH = _set("epoch epochs")

#: Words of two networks that play against each other: what one gains, the other may lose.
PLAYERS = _set("g gen generator actor"), _set("d dis disc discr discriminator critic df dr")

#: Those that are a loss though no word says so, if both players have one.
LETTERS = _set("g d df dr")

#: Words of a discriminator's losses on real examples and on others.
HALVES = _set("df dr real fake")

#: Terms of their losses.
TERMS = _set("gan adv feat fea pix vgg l1 l 1 perc percep perceptual style tv gp rec idt cls fm mel kl")

#: Which of several pairs of players: ``D_A`` and ``G_A`` beside ``D_B`` and ``G_B``.
PAIRS = _set("a b x y")

#: Words beside them.
CROSS_ENTROPY = frozenset(("cross", "entropy"))
LIKELIHOOD = _set("negative neg log likelihood loglikelihood loglik lik")
OF_LOSS = PLAIN | CROSS_ENTROPY | _set("per sample token word frame example")
OF_NORM = PLAIN | _set("before pre unclipped unscaled policy 0 2 l")
OF_STEP = _set(
    "global total train training trainer current cur num n env optim optimizer optimiser opt info debug root main the "
    "at time idx completed finished done after metrics learning"
)
OF_BATCH = _set("train training current cur number")
OF_RATE = _set("lr learning rate base pg group param adam adamw sgd muon current cur train optim optimizer")

#: Words of what is no part of a loss though it has the word in its name.
NO_PART = _set(
    "scale scaler scaling weight weights coef coeff coefficient ratio time ppl acc accuracy std var variance min max "
    "vs samples lr norm count num best prev previous lambda window per skipped delta diff grad gradient log prob "
    "target threshold"
)

#: Words of what is no gradient norm though it has the words in its name.
NO_LAYER = _set(
    "scale min max std var variance ratio clip clipping threshold count num time coef weight best penalty loss "
    "quartile quartiles quantile quantiles percentile percentiles histogram"
)

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def words(name: str) -> tuple[str, ...]:
    """Return the words and the whole numbers of a name, in lower case: ``trainLoss_2`` ↦ train, loss, 2."""
    return tuple(word.lower() for word in _WORD.findall(name))


def quantity_of(name: Sequence[str]) -> str | None:
    """Return the quantity of the whole step that a name in words means; None if it is none, or not of the training."""
    own = set(name)
    if own & VALIDATION:
        return None
    if own & GRADIENT_NORM or (own & GRADIENT and (own & NORM or own >= L2)):
        rest = own - GRADIENT - NORM - GRADIENT_NORM
        if rest & {"after", "clipped", "post"} and rest <= OF_NORM | {"after", "clipped", "clip", "clipping", "post"}:
            return "grad_norm_after"
        before = bool(rest & {"before", "pre"})
        return "grad_norm" if rest <= OF_NORM | ({"clip", "clipping"} if before else set()) else None
    if own & LOSS:
        of_a_policy = "entropy" in own and "cross" not in own  # a part of its loss
        return "loss" if own - LOSS <= OF_LOSS and not of_a_policy and not ("cost" in own and own & OF_TIME) else None
    if own >= CROSS_ENTROPY:
        return "loss" if own <= OF_LOSS else None
    if own & {"negative", "neg"} and own & LIKELIHOOD - {"negative", "neg", "log"}:
        return "loss" if own - LIKELIHOOD <= OF_LOSS else None
    if own & STEP:
        return "step" if own - STEP <= OF_STEP and not _is_duration(name) else None
    if "batch" in own and own & OF_BATCH and own - {"batch"} <= OF_BATCH:
        return "step"
    if own & EPOCH:
        return "epoch" if own - EPOCH <= OF_STEP else None
    rate = "lr" in own or {"learning", "rate"} <= own
    return "lr" if rate and all(word in OF_RATE or word.isdecimal() for word in name) else None


def is_bare_gradient(name: Sequence[str]) -> bool:
    """Whether a name in words is that of a gradient, and no word says of what it is the number: ``grad``."""
    return bool(GRADIENT & set(name)) and set(name) - GRADIENT <= PLAIN


def is_batch_cost(names: Iterable[str]) -> bool:
    """Whether a cost of a batch is a loss: where no number beside it is of the time that a batch takes."""
    return not any(set(words(name)) & OF_SPEED for name in names)


def _is_duration(name: Sequence[str]) -> bool:
    """Whether a name in words means the time of a step, ``iter_time``, where ``time_step`` is a step."""
    return "time" in name and not STEP & set(name[name.index("time") + 1 :])


def layer_of(name: Sequence[str]) -> str:
    """Return the layer, or network, whose gradient norm a name in words means; empty if it means none."""
    own = set(name)
    norm = own & GRADIENT_NORM or (own & GRADIENT and own & NORM)
    rest = [word for word in name if word not in GRADIENT | NORM | GRADIENT_NORM]
    return "" if not norm or own & VALIDATION or own & NO_LAYER else "_".join(rest)


def says_training(name: str) -> bool:
    """Whether a name says of itself that its number is of the training, whatever is said around it."""
    return bool(OF_TRAINING & set(words(name)))


def is_averaged(name: str) -> bool:
    """Whether a name means the mean of several steps: of two numbers that mean the same the other one says more."""
    return bool(AVERAGED & set(words(name)))


def is_a_total(name: str) -> bool:
    """Whether a name means the sum of parts, and not of what."""
    return words(name) in (("total",), ("tot",))


def is_a_guess(name: str) -> bool:
    """Whether a name means what hardly is anything but a loss where a log has no other: an error, or a sum."""
    return is_an_error(name) or is_a_total(name)


def is_perplexity(name: str) -> bool:
    """Whether a name means the exponential of the training loss."""
    own = words(name)
    return bool(own) and own[-1] in PERPLEXITY and set(own[:-1]) <= PLAIN


def is_maximised(name: str) -> bool:
    """Whether a name means what the training maximises, in place of a loss."""
    own = set(words(name))
    return bool(own & MAXIMISED) and own - MAXIMISED <= PLAIN


def is_an_error(name: str) -> bool:
    """Whether a name means an error of the training, which falls as a loss does."""
    own = set(words(name))
    return bool(own & ERROR) and own - ERROR <= PLAIN


def player_of(name: Sequence[str]) -> int | None:
    """Return which of two networks that play against each other a name in words means; None if it says neither."""
    found = [at for at, words in enumerate(PLAYERS) if words & set(name)]
    return found[0] if len(found) == 1 else None


def lettered(names: Iterable[str]) -> list[str]:
    """Return the names that are losses of two players by a letter alone, ``G`` and ``D``; none if one is missing."""
    beside = PLAIN | PAIRS | ERROR | TERMS | (HALVES - LETTERS)
    found = [name for name in names if (own := set(words(name)) - beside) and own <= LETTERS]
    return found if {player_of(words(name)) for name in found} == {0, 1} else []


def is_part(name: Sequence[str]) -> bool:
    """Whether a name in words means a term of the training loss, as ``loss_box`` and ``l_pix`` do."""
    own = set(name)
    of_loss = own & LOSS or (name[:1] == ("l",) and own & (TERMS | HALVES) - LETTERS - L2)
    return bool(of_loss) and not own & VALIDATION and not own & NO_PART and not ("cost" in own and own & OF_TIME)
