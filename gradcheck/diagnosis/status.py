"""What a layer and a network can be called."""

from typing import Literal, get_args

Flag = Literal["ok", "vanishing", "exploding", "dead", "saturated", "nonfinite"]
FLAGS: tuple[Flag, ...] = get_args(Flag)

#: Verdicts on a network that is simulated.
NetworkStatus = Literal["healthy", "vanishing", "exploding", "collapsed", "dead", "nonfinite"]
NETWORK_STATUSES: tuple[NetworkStatus, ...] = get_args(NetworkStatus)

#: Verdicts on any network: a user's own may also not be trained at all, or take steps that leave the loss as it is.
Status = Literal[NetworkStatus, "no-gradient", "not-learning"]
STATUSES: tuple[Status, ...] = get_args(Status)
