"""Recurrences that get their state without a graph, or that go along the examples."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import probe  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")

CELLS = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}


class Loop(nn.Module):
    """A cell in a loop, whose state is cut off the graph every so many steps; 0: never."""

    def __init__(self, kind, every):
        super().__init__()
        self.cell, self.head, self.every = CELLS[kind](4, 16), nn.Linear(16, 3), every

    def forward(self, x):
        state = None
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
            if self.every and step % self.every == self.every - 1 and step < x.shape[1] - 1:
                state = tuple(one.detach() for one in state) if isinstance(state, tuple) else state.detach()
        return self.head(state[0] if isinstance(state, tuple) else state)


class Reader(nn.Module):
    """A recurrent module that reads sequences, and answers from their ends."""

    def __init__(self, batch_first, along=1, transposes=False):
        super().__init__()
        self.rnn, self.head = nn.GRU(4, 16, batch_first=batch_first), nn.Linear(16, 3)
        self.along, self.transposes = along, transposes

    def forward(self, x):
        states, _ = self.rnn(x.transpose(0, 1) if self.transposes else x)
        return self.head(states.select(self.along, -1))


def sequences():
    return torch.randn(16, 10, 4), torch.arange(16) % 3


def codes(report):
    return [cause.code for cause in report.verdict.causes]


@pytest.mark.parametrize("kind", CELLS)
def test_a_state_that_is_cut_off_at_each_step_is_named(kind):
    report = probe(Loop(kind, 1), sequences())
    assert (report.verdict.status, codes(report)[0]) == ("vanishing", "state-detached")
    assert "in each of 10 steps" in report.verdict.reasons[0]


class Tagging(Loop):
    """The same with an answer at each step."""

    def forward(self, x):
        state, answers = None, []
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
            answers.append(self.head(state[0] if isinstance(state, tuple) else state))
            state = tuple(one.detach() for one in state) if isinstance(state, tuple) else state.detach()
        return torch.stack(answers, 1).flatten(0, 1)


@pytest.mark.parametrize("kind", CELLS)
def test_a_state_that_is_cut_off_where_each_step_has_an_answer_may_be_meant(kind):
    report = probe(Tagging(kind, 1), (torch.randn(16, 10, 4), torch.randint(3, (160,))))
    assert (report.verdict.status, codes(report)[0]) == ("healthy", "state-detached")
    assert "it learns from one step at a time" in report.verdict.reasons[0]


@pytest.mark.parametrize("every", [0, 5])
def test_a_state_that_is_cut_off_now_and_then_is_no_fault(every):
    assert "state-detached" not in codes(probe(Loop("gru", every), sequences()))


def test_a_recurrence_along_the_examples_is_named():
    report = probe(Reader(batch_first=False), sequences())
    assert codes(report)[0] == "axes-swapped"
    assert "batch_first=True" in report.verdict.reasons[0]


@pytest.mark.parametrize(
    "model",
    [Reader(batch_first=True), Reader(batch_first=False, along=0, transposes=True)],
    ids=["examples first", "transposed"],
)
def test_a_recurrence_along_the_steps_is_not(model):
    assert "axes-swapped" not in codes(probe(model, sequences()))


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_number_for_each_example_in_place_of_a_row_shows_it_as_well(batch_first):
    class Single(Reader):
        def forward(self, x):
            return super().forward(x)[:, 0]

    report = probe(Single(batch_first), (torch.randn(16, 10, 4), torch.rand(16)), nn.BCEWithLogitsLoss())
    assert ("axes-swapped" in codes(report)) is not batch_first


def test_a_recurrence_over_steps_first_whose_answers_are_its_steps_is_not():
    class Tagger(Reader):
        def forward(self, x):
            return self.head(self.rnn(x)[0])

    batch = torch.randn(16, 10, 4), torch.randint(3, (16, 10))
    assert "axes-swapped" not in codes(probe(Tagger(batch_first=False), batch))


class Rows(nn.Module):
    """A recurrence along the rows of pictures, one of whose columns after the other."""

    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.GRU(4, 8), nn.Linear(8, 3)

    def forward(self, x):
        examples, channels, height, width = x.shape
        states, _ = self.rnn(x.permute(2, 0, 3, 1).reshape(height, examples * width, channels))
        return self.head(states[-1].view(examples, width, 8).mean(1))


def test_a_recurrence_along_as_many_rows_as_there_are_examples_is_not():
    batch = torch.randn(16, 4, 16, 6), torch.arange(16) % 3
    assert "axes-swapped" not in codes(probe(Rows(), batch))


def test_outputs_that_change_by_chance_change_with_no_example():
    class Drawn(Rows):
        def forward(self, x):
            return super().forward(x + torch.randn_like(x))

    batch = torch.randn(16, 4, 16, 6), torch.arange(16) % 3
    assert "axes-swapped" not in codes(probe(Drawn(), batch))


def test_nor_is_one_with_a_number_for_each_step_of_each_sequence():
    class Filter(Reader):
        def forward(self, x):
            return self.head(self.rnn(x)[0])[:, :, 0]

    assert "axes-swapped" not in codes(probe(Filter(batch_first=False), (torch.randn(16, 10, 4), torch.randn(16, 10))))


class Calls(nn.Module):
    """A recurrent module that is called for each step, and gets its state or doesn't."""

    def __init__(self, passes):
        super().__init__()
        self.rnn, self.head, self.passes = nn.GRU(4, 16, batch_first=True), nn.Linear(16, 3), passes

    def forward(self, x):
        state = None
        for step in range(x.shape[1]):
            output, state = self.rnn(x[:, step : step + 1], state if self.passes else None)
        return self.head(output[:, -1])


def test_a_state_that_is_never_passed_on_is_named():
    report = probe(Calls(passes=False), sequences())
    assert (report.verdict.status, codes(report)[0]) == ("healthy", "state-not-passed")  # each may stand alone
    assert "rnn is called 10 times for a single step and without a state" in report.verdict.reasons[0]
    assert "state-not-passed" not in codes(probe(Calls(passes=True), sequences()))


def test_a_state_that_goes_on_within_the_input_is_passed():
    class Within(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.head = nn.GRUCell(4 + 16, 16), nn.Linear(16, 3)

        def forward(self, x):
            state = torch.zeros(len(x), 16)
            for step in range(x.shape[1]):
                state = self.cell(torch.cat([x[:, step], state], 1))
            return self.head(state)

    assert "state-not-passed" not in codes(probe(Within(), sequences()))
