"""What recurrences show: memory that is lost within a step, gradients that grow in time, gates that inputs saturate."""

import math
from collections.abc import Iterator, Mapping, Sequence

from gradcheck.diagnosis.causes import Cause
from gradcheck.diagnosis.status import Status
from gradcheck.torch.probing.hooks import Recording
from gradcheck.torch.probing.measuring import Gradients
from gradcheck.torch.probing.parts import ModelParts, Recurrence
from gradcheck.torch.probing.sequences.faults import judge_states
from gradcheck.torch.probing.sequences.recurrences import STEPS as STEPS_AT_MOST
from gradcheck.torch.probing.sequences.recurrences import find_long, find_recurrences

#: Gates are saturated where so large a share of them would be by the inputs alone; of published networks 0.3 % were.
SATURATED_SHARE = 0.5

#: A recurrence forgets where a step back in time leaves less of the gradient: 0.45 to 0.65 as PyTorch draws it, 0.49
#: with orthogonal recurrent weights times 0.5, 0.15 with a forget gate below 0.03. Inputs of a few times the usual size
#: halve it where there are no gates.
FORGETS_BELOW = {"LSTM": 0.2, "GRU": 0.2, "RNN_TANH": 0.1, "RNN_RELU": 0.1}

#: Where inputs of a usual size do nothing to it, a recurrence of tanh without gates forgets by its weights alone.
USUAL, FORGETS_BY_WEIGHTS = 2.0, 0.35

#: Of fewer steps, or units, it says little: a cell's own path through time has hardly begun, chance decides.
STEPS, UNITS = 8, 16

#: Decades that a gradient may gain over all steps back in time; in networks that train it gains none.
MOST_GAINED = 4.6

#: Decades after which a gradient is lost in the rounding of those that are added to it in single precision.
ROUNDED = 7.2

#: A gate that is below this throughout is why.
SHUT = 0.3

#: What keeps the state from one step to the next.
KEEPS = {"LSTM": "forget", "GRU": "update"}


def judge_recurrences(record: Recording, gradients: Gradients, layers: Mapping[str, int]) -> ModelParts:
    """Judge how far back recurrences hear, and how their states are passed on; a brief pass unrolls none."""
    memory = judge_memory(() if record.brief else find_recurrences(record, gradients), layers)
    return memory.beside(judge_states(record, layers)).beside(note_long(find_long(record), layers))


def judge_memory(recurrences: tuple[Recurrence, ...], layers: Mapping[str, int]) -> ModelParts:
    """Return what is wrong with recurrences, given the numbers of layers by name, and what is worth knowing."""
    ill = [pair for one in recurrences for pair in _faults(one, layers)]
    status = next((status for status, _ in ill), None)
    return ModelParts(status, tuple(cause for _, cause in ill), tuple(_notes(recurrences, layers)), recurrences)


def note_long(long: Mapping[str, int], layers: Mapping[str, int]) -> ModelParts:
    """Return that nothing is said of the memory of recurrences with so many steps, given these by name."""
    places = {name: (layers[name],) * 2 if name in layers else None for name in long}
    return ModelParts(
        notes=tuple(
            Cause("long-sequence", places[name], steps, STEPS_AT_MOST, {"name": name}) for name, steps in long.items()
        )
    )


def _faults(one: Recurrence, layers: Mapping[str, int]) -> Iterator[tuple[Status, Cause]]:
    """Yield what a network can't start to learn with, each with the verdict that it means."""
    at, details = _place(one, layers), {"name": _name(one)}
    saturated = sum(gate.saturated_by_inputs for gate in one.gates) / len(one.gates)
    if saturated > SATURATED_SHARE:
        yield "vanishing", Cause("gates-saturated", at, saturated, SATURATED_SHARE, details | {"size": one.input_rms})
    limit = _limit(one)
    if one.gain < limit and one.steps >= STEPS and one.units >= UNITS:
        shut = next((gate for gate in one.gates if gate.name == KEEPS.get(one.kind) and gate.largest < SHUT), None)
        gate = {"gate": None if shut is None else shut.name, "largest": math.nan if shut is None else shut.largest}
        yield "vanishing", Cause("forgets", at, one.gain, limit, details | gate)
    if _gained(one) > MOST_GAINED:
        more = {"gain": one.gain, "steps": one.steps}
        yield "exploding", Cause("explodes-in-time", at, _gained(one), MOST_GAINED, details | more)


def _notes(recurrences: Sequence[Recurrence], layers: Mapping[str, int]) -> Iterator[Cause]:
    """Yield how far back networks that forget as usual can look at their start, of each module the least far part."""
    fading = [one for one in recurrences if _limit(one) <= one.gain < 1 and -_gained(one) > ROUNDED]
    for one in {each.module: each for each in sorted(fading, key=lambda each: -each.gain)}.values():
        reach = round(-ROUNDED / math.log10(one.gain))
        yield Cause(
            "memory", _place(one, layers), reach, details={"name": _name(one), "gain": one.gain, "steps": one.steps}
        )


def _limit(one: Recurrence) -> float:
    """Return what a step back in time has to leave of a gradient."""
    by_weights = one.kind == "RNN_TANH" and one.input_rms < USUAL
    return FORGETS_BY_WEIGHTS if by_weights else FORGETS_BELOW[one.kind]


def _gained(one: Recurrence) -> float:
    """Return the decades that a gradient gains over all steps; nan for a single step."""
    return (one.steps - 1) * math.log10(one.gain) if one.gain > 0 else math.nan


def _place(one: Recurrence, layers: Mapping[str, int]) -> tuple[int, int] | None:
    return (layers[one.module],) * 2 if one.module in layers else None


def _name(one: Recurrence) -> str:
    return f"{one.module} ({one.part})" if one.part not in ("", "l0") else one.module
