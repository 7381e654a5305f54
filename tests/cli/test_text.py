"""What the text shows agrees with itself, and with the JSON of the same command."""

import csv
import re
import shlex
from decimal import Decimal
from itertools import pairwise

import pytest

NETWORKS = {
    "vanishing": "--depth 50 --width 24",
    "exploding": "--depth 12 --width 32 --activation relu --init he --gain 3",
    "nonfinite": "--depth 14 --width 32 --activation relu --init he --gain 1e50",
    "dead": "--depth 6 --width 32 --activation step",
    "underflow": "--depth 150 --width 8 --activation linear --init orthogonal --gain 0.0004",
    "healthy": "--depth 45 --width 64 --activation tanh --init lecun",
    "seeds": "--depth 4 --width 8 --seeds 3",
    "one layer": "--depth 1 --width 8",
    "one example": "--depth 3 --width 8 --batch-size 1",
}

#: What stands in a column of the table.
KEYS = {
    "gradient": "log10_gradient_rms",
    "ratio": "log10_gradient_ratio",
    "gain": "local_gain",
    "activation": "activation_rms",
    "rank": "effective_rank",
    "cosine": "input_cosine",
    "saturated": "saturated_fraction",
    "dead": "dead_fraction",
    "weights": "weight_norm",
    "weight gradient": "log10_weight_gradient_norm",
}

LEVELS, EIGHTHS = "▁▂▃▄▅▆▇█", "▏▎▍▌▋▊▉█"

every_network = pytest.mark.parametrize("network", NETWORKS)


def call(network, columns, more=""):
    return f"simulate --no-suggest {NETWORKS[network]} {more}", {"COLUMNS": str(columns)}


def wide_call(network):
    """Every layer, every column."""
    return call(network, 140, "--all-layers")


@pytest.fixture
def text(printed):
    def run(network, columns=80):
        line, variables = call(network, columns)
        return printed(line, **variables)

    return run


@pytest.fixture
def wide_text(printed):
    def run(network):
        line, variables = wide_call(network)
        return printed(line, **variables)

    return run


@pytest.fixture
def layers(report):
    return lambda network: report(NETWORKS[network])["layers"]


@pytest.fixture
def gains(report):
    """A network ↦ the local gains that theory predicts, or none."""

    def predicted(network):
        of_layers = report(NETWORKS[network])["prediction"]["local_gains"] or []
        return of_layers if any(of_layers) else []

    return predicted


def table(text):
    """Return the table's headings, and its rows in pieces."""
    lines = text.splitlines()
    head = next(number for number, line in enumerate(lines) if re.match(r" +layer +gradient", line))
    rows = []
    for line in lines[head + 1 :]:
        if not re.match(r" +\d+  ", line):
            break
        rows.append(re.split(r"\s{2,}", line.strip()))
    return re.split(r"\s{2,}", lines[head].strip()), rows


def sparkline(text):
    return next(line[2:] for line in text.splitlines() if re.fullmatch(rf"  [{LEVELS}_×]+", line))


def marks(text):
    """Return the line under the sparkline."""
    lines = text.splitlines()
    return lines[lines.index("  " + sparkline(text)) + 1][2:]


def magnitude(key, value):
    return Decimal(10) ** Decimal(value) if key.startswith("log10_") else Decimal(value)


def agrees(cell, key, value):
    """Whether a printed number is the value, rounded to the digits that it has."""
    if value is None or cell in ("0", "-"):
        return cell in ("0", "-") and value in (None, 0)
    number = Decimal(cell.rstrip("%")) / (100 if cell.endswith("%") else 1)
    unit = Decimal(10) ** number.as_tuple().exponent
    return abs(number - magnitude(key, value)) <= unit * Decimal("0.5000001")


def bar_length(bar):
    return sum(EIGHTHS.index(cell) + 1 for cell in bar)


@every_network
@pytest.mark.parametrize("columns", [40, 80])
def test_every_row_has_as_many_fields_as_the_header(network, columns, text, layers):
    headings, rows = table(text(network, columns))
    by_index = {str(layer["index"]): layer for layer in layers(network)}
    assert headings[-1] == "flag"
    for row in rows:
        has_bar = by_index[row[0]]["log10_gradient_rms"] is not None
        assert len(row) == len(headings) + has_bar


@every_network
def test_the_numbers_in_the_table_are_those_of_the_json(network, wide_text, layers, gains):
    headings, rows = table(wide_text(network))
    columns = list(KEYS)
    predicted = gains(network)
    if predicted:
        columns.insert(columns.index("gain") + 1, "theory")
    assert headings == ["layer", *columns, "flag"]
    for row, layer in zip(rows, layers(network), strict=True):
        cells = dict(zip(headings, row[: len(headings)], strict=True))
        if predicted:
            assert agrees(cells["theory"], "local_gain", predicted[layer["index"] - 1])
        assert (cells["layer"], cells["flag"]) == (str(layer["index"]), layer["flag"])
        wrong = [name for name, key in KEYS.items() if not agrees(cells[name], key, layer[key])]
        assert not wrong, (cells, layer)


def test_a_number_is_zero_in_the_table_only_where_it_is_zero(wide_text, layers):
    for network in NETWORKS:
        headings, rows = table(wide_text(network))
        for row, layer in zip(rows, layers(network), strict=True):
            gradient = row[headings.index("gradient")]
            assert (gradient == "0") == (layer["gradient_rms"] == 0), network


def test_bars_are_as_long_as_gradients_are_strong(wide_text, layers):
    for network in NETWORKS:
        _, rows = table(wide_text(network))
        bars = [(layer["log10_gradient_rms"], row[-1]) for row, layer in zip(rows, layers(network), strict=True)]
        bars = sorted((logarithm, bar) for logarithm, bar in bars if logarithm is not None)
        lengths = [bar_length(bar) for _, bar in bars]
        assert lengths == sorted(lengths), network
        assert not bars or set(bars[-1][1]) == {"█"}, network


def test_no_line_but_the_next_commands_is_wider_than_the_terminal(text):
    for columns in (40, 80):
        for network in NETWORKS:
            shown, _, following = text(network, columns).rpartition("\n\n")
            assert max(map(len, shown.splitlines())) <= columns, (network, columns)
            assert following == text(network).rpartition("\n\n")[2], (network, columns)
            assert all(line.startswith("  gradcheck ") for line in following.splitlines()), (network, columns)


def test_what_is_wrong_is_explained_by_the_last_command_and_by_no_other(text, report):
    for network in NETWORKS:
        status = report(NETWORKS[network])["verdict"]["status"]
        following = [line for line in text(network).splitlines() if line.startswith("  gradcheck ")]
        if status == "healthy":
            assert not [line for line in following if "explain" in line], network
        else:
            assert following[1:] == [f"  gradcheck explain {status}"], network


def test_the_sparkline_has_a_character_a_layer_up_to_the_width(text, layers):
    for columns in (40, 80):
        for network in NETWORKS:
            assert len(sparkline(text(network, columns))) == min(len(layers(network)), columns - 4), (network, columns)


def test_the_sparkline_is_as_high_as_gradients_are_strong(wide_text, layers):
    for network in [name for name in NETWORKS if name != "underflow"]:  # it has a column a layer
        logarithms = [layer["log10_gradient_rms"] for layer in layers(network)]
        line = sparkline(wide_text(network))
        heights = sorted((value, level) for value, level in zip(logarithms, line, strict=True) if value is not None)
        assert "".join(level for _, level in heights) == "".join(sorted(level for _, level in heights)), network
        assert not heights or heights[-1][1] == "█", network
        for layer, level in zip(layers(network), line, strict=True):
            assert (level == "_") == (layer["gradient_rms"] == 0), network
            assert (level == "×") == (layer["gradient_rms"] is None and layer["log10_gradient_rms"] is None), network


def test_regions_are_marked_under_their_columns(text, report, layers):
    for columns in (40, 80):
        for network in NETWORKS:
            regions, shown = report(NETWORKS[network])["regions"], text(network, columns)
            if not regions:
                assert not re.search("[└╵]", shown), (network, columns)
                return
            scale = len(sparkline(shown)) / len(layers(network))  # columns a layer
            brackets = [(mark.start(), mark.end()) for mark in re.finditer("└[^┘]*┘|╵", marks(shown))]
            for (start, end), region in zip(brackets, regions, strict=True):
                assert start == pytest.approx((region["first_layer"] - 1) * scale, abs=0 if scale == 1 else 1), (
                    network,
                    columns,
                )
                assert end == pytest.approx(region["last_layer"] * scale, abs=0 if scale == 1 else 1), (
                    network,
                    columns,
                )


def test_a_region_is_named_with_its_first_and_last_layer(report, layers):
    for network in NETWORKS:
        flags = [layer["flag"] for layer in layers(network)]
        regions = report(NETWORKS[network])["regions"]
        in_regions = ["ok"] * len(flags)
        for region in regions:
            assert region["first_layer"] <= region["worst_layer"] <= region["last_layer"], network
            for layer in range(region["first_layer"], region["last_layer"] + 1):
                assert in_regions[layer - 1] == "ok", network
                in_regions[layer - 1] = region["flag"]
        assert in_regions == flags, network
        for before, after in pairwise(regions):
            assert before["flag"] != after["flag"] or before["last_layer"] + 1 < after["first_layer"], network


@pytest.mark.parametrize("network", ["vanishing", "healthy", "underflow"])
def test_a_long_table_shows_the_ends_and_the_edges_and_says_how_much_it_left_out(network, text, report):
    shown, whole = text(network), report(NETWORKS[network])
    indices = [int(row[0]) for row in table(shown)[1]]
    depth = len(whole["layers"])
    assert f"{len(indices)} of {depth} layers shown; --all-layers shows the rest" in shown
    assert indices == sorted(set(indices))
    assert {1, depth} <= set(indices)
    assert {region[end] for region in whole["regions"] for end in ("first_layer", "last_layer")} <= set(indices)
    assert max(b - a for a, b in pairwise(indices)) <= depth / 4


@pytest.mark.parametrize("network", ["vanishing", "healthy", "underflow"])
def test_all_layers_shows_every_layer(network, wide_text, layers):
    shown = wide_text(network)
    assert len(table(shown)[1]) == len(layers(network))
    assert "layers shown" not in shown


@pytest.mark.parametrize("depth", [40, 41])
def test_the_table_is_whole_up_to_forty_layers(depth, printed):
    shown = printed(f"simulate --no-suggest --depth {depth} --width 4 --activation linear --init orthogonal")
    assert (len(table(shown)[1]) == depth) == (depth == 40)


def test_the_text_comes_in_the_order_that_is_promised(text, report):
    for network in NETWORKS:
        shown, whole = text(network), report(NETWORKS[network])
        config, verdict = whole["config"], whole["verdict"]
        layers = "1 layer of" if config["depth"] == 1 else f"{config['depth']} layers of"
        order = [config["activation"], layers, verdict["status"].upper(), sparkline(shown), " gradient  "]
        places = [shown.index(part) for part in order]
        assert places == sorted(places), network
        assert shown.index(config["init"]) < shown.index("\n"), network
        assert shown.splitlines()[-1].startswith("  gradcheck "), network


def test_every_reason_is_in_the_text(wide_text, report):
    for network in NETWORKS:
        shown = " ".join(wide_text(network).split())
        for reason in report(NETWORKS[network])["verdict"]["reasons"]:
            assert " ".join(reason.split()) in shown, network


@pytest.mark.parametrize("network", ["healthy", "seeds", "nonfinite", "dead"])
def test_the_next_command_can_be_typed(network, text, gradcheck):
    for line in text(network).rpartition("\n\n")[2].splitlines():
        program, *words = shlex.split(line)
        assert program == "gradcheck"
        assert gradcheck("", *words).returncode == 0


OPTIONS = (
    "--depth 6 --width 8 --gain 1.23456789 --bias-std 0.0123456789 --norm layer --residual --residual-scale 0.333333333"
    " --batch-size 9 --no-shuffle --seed 3 --dtype float32 --vanish-below 0.00123456789 --max-span 1.23456789"
)


def test_the_next_command_repeats_every_option_in_full(printed, report):
    following = printed(f"simulate --no-suggest {OPTIONS}").rpartition("\n\n")[2].splitlines()[0]
    again = shlex.join(shlex.split(following)[2:])
    config, repeated = report(OPTIONS)["config"], report(again)["config"]
    assert config | {"seeds": repeated["seeds"], "suggest": repeated["suggest"]} == repeated


@pytest.mark.parametrize("options", ["--depth 12 --width 16", "--depth 8 --width 12 --gain 1.23456789 --seed 5"])
def test_every_suggestion_does_what_it_says_when_it_is_typed(options, report):
    suggestions = report(f"{options} --suggest")["suggestions"]
    assert suggestions
    for suggestion in suggestions:
        program, command, *words = shlex.split(suggestion["command"])
        assert (program, command) == ("gradcheck", "simulate")
        typed = report(shlex.join(words))
        assert typed["verdict"]["status"] == suggestion["status"] == "healthy"
        assert typed["verdict"]["score"] == suggestion["score"]
        assert typed["summary"]["gradient_span"] == suggestion["gradient_span"]


def test_suggestions_come_best_first(report):
    scores = [min(0.95, one["score"]) for one in report("--depth 12 --width 16 --suggest")["suggestions"]]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("columns", [40, 80])
def test_suggestions_stand_whole_in_the_text(columns, printed, report):
    options = "--depth 20 --width 32"
    shown = printed(f"simulate {options}", COLUMNS=str(columns)).split("What would fix it")[1]
    assert "…" not in shown
    for suggestion in report(f"{options} --suggest")["suggestions"]:
        for name in suggestion["changes"]:
            assert f"--{name.replace('_', '-')}" in shown


def test_markdown_has_the_numbers_of_the_json(printed, layers):
    for network in ("nonfinite", "dead", "seeds", "one example"):
        lines = printed(f"simulate --format markdown {NETWORKS[network]}").splitlines()
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
        headings, _, *body = rows
        for row, layer in zip(body, layers(network), strict=True):
            cells = dict(zip(headings, row, strict=True))
            assert (cells.pop("layer"), cells.pop("flag")) == (str(layer["index"]), layer["flag"]), network
            assert all(agrees(cell, KEYS[name], layer[KEYS[name]]) for name, cell in cells.items()), network


def test_csv_has_the_layers_of_the_json_to_the_last_digit(printed, layers):
    for network in ("nonfinite", "dead", "seeds", "one example"):
        rows = list(csv.DictReader(printed(f"simulate --format csv {NETWORKS[network]}").splitlines()))
        for row, layer in zip(rows, layers(network), strict=True):
            assert list(row) == list(layer), network
            assert row == {key: "" if value is None else str(value) for key, value in layer.items()}, network
