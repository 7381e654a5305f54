"""What a pass shows of a model's sequences: its recurrences, their states, its attention, and its tokens."""

from collections.abc import Mapping

from gradcheck.torch.probing.hooks import Recording
from gradcheck.torch.probing.looks import Looks
from gradcheck.torch.probing.measuring import Gradients
from gradcheck.torch.probing.parts import ModelParts
from gradcheck.torch.probing.sequences.attention import judge_attention, note_single
from gradcheck.torch.probing.sequences.faults import judge_states
from gradcheck.torch.probing.sequences.memory import judge_memory, note_long
from gradcheck.torch.probing.sequences.recurrences import find_long, find_recurrences
from gradcheck.torch.probing.sequences.tokens import judge_tokens


def judge_sequences(
    record: Recording, gradients: Gradients, looks: Looks, places: Mapping[str, int]
) -> tuple[ModelParts, ModelParts, ModelParts]:
    """Judge tokens, attention and recurrences, given where in the flow each layer is; a brief pass unrolls none."""
    memory = judge_memory(() if record.brief else find_recurrences(record, gradients), places)
    memory = memory.beside(judge_states(record, places)).beside(note_long(find_long(record), places))
    return judge_tokens(looks.alike, places), judge_attention(looks.attention).beside(note_single(looks.single)), memory
