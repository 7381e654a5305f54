"""Published architectures at their initialisation, probed: none of those that train is to be accused.

    python benchmarks/zoo.py                     # all, and a table
    python benchmarks/zoo.py --only 'timm.*'
    python benchmarks/zoo.py --times             # CPU time over one plain forward and backward pass
    python benchmarks/zoo.py --named             # time and memory of ten models in their published sizes

Needs PyTorch; torchvision, timm and transformers where they are installed (what is missing is skipped). All weights are
random, nothing is downloaded. Exits with 1 if a healthy architecture is accused, refused or fails, or an ill one isn't
named.
"""

import argparse
import fnmatch
import gc
import importlib
import importlib.util
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
warnings.filterwarnings("ignore")

import torch  # noqa: E402
from children import largest_memory  # noqa: E402
from torch import nn  # noqa: E402

from gradcheck.errors import GradcheckError  # noqa: E402
from gradcheck.torch import probe  # noqa: E402

torch.set_num_threads(1)

#: Where operators of torchvision are declared.
DETECTORS = torch.library.Library("torchvision", "FRAGMENT")

#: () ↦ model, batch, loss.
Build = Callable[[], tuple[nn.Module, Any, Any]]


class Case(NamedTuple):
    """One model, and what may be said of it."""

    name: str
    build: Build
    right: frozenset[str] = frozenset({"healthy"})


def images(batch: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pictures of noise, and classes."""
    return torch.randn(batch, 3, size, size), torch.arange(batch) % 10


# ---- image models by the name that their library gives them: side of the pictures, options

TORCHVISION = {
    "resnet18": 64,
    "resnet152": 96,
    "resnext50_32x4d": 96,
    "vgg16_bn": 64,
    "densenet121": 96,
    "mobilenet_v2": 96,
    "mobilenet_v3_small": 96,
    "mobilenet_v3_large": 96,
    "efficientnet_b0": 96,
    "efficientnet_v2_s": 96,
    "regnet_y_400mf": 96,
    "mnasnet1_0": 96,
    "shufflenet_v2_x1_0": 96,
    "squeezenet1_1": 96,
    "convnext_tiny": 96,
}

TIMM: dict[str, tuple[int, dict[str, Any]]] = {
    "vit_tiny_patch16_224": (96, {"img_size": 96}),
    "beit_base_patch16_224": (96, {"img_size": 96, "embed_dim": 96, "num_heads": 3}),
    "xcit_nano_12_p16_224": (96, {"img_size": 96}),
    "gmlp_ti16_224": (96, {"img_size": 96}),
    "mixer_s32_224": (128, {"img_size": 128}),
    "poolformer_s12": (96, {}),
    "pvt_v2_b0": (96, {}),
    "mobilevit_xxs": (96, {}),
    "focalnet_tiny_srf": (96, {}),
    "mambaout_femto": (96, {}),
    "convnextv2_atto": (96, {}),
    "convmixer_768_32": (56, {}),
    "nf_regnet_b0": (96, {}),
    "dm_nfnet_f0": (64, {}),
    "repvgg_a0": (96, {}),
    "hgnet_tiny": (96, {}),
    "res2net50_26w_4s": (64, {}),
    "seresnet18": (96, {}),
    "inception_resnet_v2": (96, {}),
    "rexnet_100": (96, {}),
    "efficientvit_b0": (96, {}),
    "starnet_s1": (96, {}),
    "swinv2_tiny_window8_256": (64, {"img_size": 64, "window_size": 4, "embed_dim": 48}),
    "twins_svt_small": (64, {"img_size": 64, "embed_dims": (32, 64, 128, 256)}),
    "efficientformer_l1": (224, {}),
}

# ---- language models of transformers: configuration, model, what it learns, options

ENCODER = {
    "vocab_size": 512,
    "hidden_size": 128,
    "num_attention_heads": 4,
    "intermediate_size": 512,
    "num_hidden_layers": 12,
}
DECODER = {
    "vocab_size": 512,
    "hidden_size": 128,
    "intermediate_size": 344,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
GPT2 = {"vocab_size": 512, "n_embd": 128, "n_head": 4, "n_positions": 64, "bos_token_id": 0, "eos_token_id": 0}
SEQUENCES = {
    "vocab_size": 512,
    "d_model": 128,
    "encoder_ffn_dim": 512,
    "decoder_ffn_dim": 512,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_layers": 12,
    "decoder_layers": 12,
    "max_position_embeddings": 64,
}

TRANSFORMERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bert-12": ("BertConfig", "BertForMaskedLM", ENCODER),
    "roberta-12": ("RobertaConfig", "RobertaForMaskedLM", ENCODER | {"pad_token_id": 0}),
    "albert-12": ("AlbertConfig", "AlbertForMaskedLM", ENCODER | {"embedding_size": 64}),
    "mobilebert-24": ("MobileBertConfig", "MobileBertForMaskedLM", {"vocab_size": 512, "num_hidden_layers": 24}),
    "gpt2-12": ("GPT2Config", "GPT2LMHeadModel", GPT2 | {"n_layer": 12}),
    "gpt2-48": ("GPT2Config", "GPT2LMHeadModel", GPT2 | {"n_layer": 48}),
    "llama-32": ("LlamaConfig", "LlamaForCausalLM", DECODER | {"num_hidden_layers": 32}),
    "qwen2-24": ("Qwen2Config", "Qwen2ForCausalLM", DECODER | {"num_hidden_layers": 24}),
    "gemma2-26": ("Gemma2Config", "Gemma2ForCausalLM", DECODER | {"num_hidden_layers": 26, "head_dim": 32}),
    "olmo2-16": ("Olmo2Config", "Olmo2ForCausalLM", DECODER | {"num_hidden_layers": 16}),
    "mixtral-16": ("MixtralConfig", "MixtralForCausalLM", DECODER | {"num_hidden_layers": 16, "num_local_experts": 4}),
    "mamba-24": (
        "MambaConfig",
        "MambaForCausalLM",
        {"vocab_size": 512, "hidden_size": 128, "num_hidden_layers": 24, "pad_token_id": 0},
    ),
    "bart-12": ("BartConfig", "BartForConditionalGeneration", SEQUENCES),
    "mbart-12": ("MBartConfig", "MBartForConditionalGeneration", SEQUENCES),
}


#: Ten in their published sizes, whose cost is measured.
NAMED = {
    "resnet18": lambda: _torchvision("resnet18", 128),
    "resnet50": lambda: _torchvision("resnet50", 128),
    "vgg11_bn": lambda: _torchvision("vgg11_bn", 128),
    "densenet121": lambda: _torchvision("densenet121", 128),
    "mobilenet_v3_large": lambda: _torchvision("mobilenet_v3_large", 128),
    "convnext_tiny": lambda: _torchvision("convnext_tiny", 128),
    "vit_small_patch16_224": lambda: _timm("vit_small_patch16_224", 224, {}),
    "bert-base": lambda: _transformers("BertConfig", "BertForMaskedLM", {}),
    "gpt2": lambda: _transformers("GPT2Config", "GPT2LMHeadModel", {}),
    "t5-small": lambda: _transformers("T5Config", "T5ForConditionalGeneration", {"decoder_start_token_id": 0}),
}


def tokens(batch: int = 8, length: int = 32, words: int = 512) -> dict[str, torch.Tensor]:
    """Return words, and the same to say again."""
    made = torch.randint(2, words, (batch, length))
    return {"input_ids": made, "labels": made.clone()}


def library_cases() -> Iterator[Case]:
    """Yield the models of the libraries that are installed."""
    if _installed("torchvision"):
        for name, size in TORCHVISION.items():
            yield Case(f"torchvision.{name}", lambda name=name, size=size: _torchvision(name, size))
    if _installed("timm"):
        for name, (size, options) in TIMM.items():
            yield Case(f"timm.{name}", lambda name=name, size=size, options=options: _timm(name, size, options))
    if _installed("transformers"):
        for name, given in TRANSFORMERS.items():
            yield Case(f"transformers.{name}", lambda given=given: _transformers(*given))


def _installed(name: str) -> bool:
    """Whether a library can be imported; a torchvision made for another PyTorch lacks operators of its detectors."""
    if importlib.util.find_spec(name) is None:
        return False
    try:
        for operator in ("nms", "qnms") if importlib.util.find_spec("torchvision") else ():
            DETECTORS.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    except RuntimeError:  # they are there
        pass
    try:
        importlib.import_module(name)
    except Exception as error:  # a library that doesn't fit this PyTorch
        print(f"without {name}: {error}", file=sys.stderr)
        return False
    return True


def _torchvision(name: str, size: int) -> tuple[nn.Module, Any, Any]:
    from torchvision import models

    return getattr(models, name)(weights=None, num_classes=10), images(8, size), None


def _timm(name: str, size: int, options: dict[str, Any]) -> tuple[nn.Module, Any, Any]:
    import timm

    return timm.create_model(name, pretrained=False, num_classes=10, **options), images(8, size), None


def _transformers(config: str, model: str, options: dict[str, Any]) -> tuple[nn.Module, Any, Any]:
    import transformers

    return getattr(transformers, model)(getattr(transformers, config)(**options)), tokens(), None


# ---- from PyTorch alone: those of the tests, and ill ones


def own_cases() -> Iterator[Case]:
    """Yield the published models of the tests, and models with one fault each."""
    path = Path(__file__).parent.parent / "tests" / "torch" / "published_models.py"
    spec = importlib.util.spec_from_file_location("published_models", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, (build, batch, loss) in module.PUBLISHED.items():
        yield Case(f"torch.{name}", lambda build=build, batch=batch, loss=loss: (build(), batch(), loss))
    for name, build, right in ILL:
        yield Case(f"ill.{name}", build, frozenset(right))


def stacked(depth: int, activation: type[nn.Module], std: float, width: int = 64) -> tuple[nn.Module, Any, Any]:
    """Return a plain network whose weights are N(0, std²)."""
    model = nn.Sequential(
        *(part for _ in range(depth) for part in (nn.Linear(width, width), activation())), nn.Linear(width, 10)
    )
    for one in model.parameters():
        nn.init.normal_(one, std=std) if one.dim() > 1 else nn.init.zeros_(one)
    return model, (torch.randn(64, width), torch.arange(64) % 10), None


def pictures_network(change: Callable[[nn.Sequential], None], shift: float = 0.0, scale: float = 1.0) -> Build:
    """Return a builder of a small network of pictures, changed."""

    def build() -> tuple[nn.Module, Any, Any]:
        sizes = ((3, 32), (32, 64), (64, 64))
        layers = [part for inputs, outputs in sizes for part in (nn.Conv2d(inputs, outputs, 3, 2, 1), nn.ReLU())]
        model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, 128), nn.ReLU(), nn.Linear(128, 10))
        with torch.no_grad():
            change(model)
        x, y = images(16, 32)
        return model, (scale * x + shift, y), None

    return build


def detached() -> tuple[nn.Module, Any, Any]:
    """Return a network that is detached in its middle."""

    class Detached(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh())
            self.last = nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 10))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.first(x).detach())  # type: ignore[no-any-return]

    return Detached(), (torch.randn(64, 32), torch.arange(64) % 10), None


def after_norms(depth: int) -> tuple[nn.Module, Any, Any]:
    """Return a transformer with norms after the sums, too deep to train."""
    layer = nn.TransformerEncoderLayer(64, 4, 256, 0.0, batch_first=True)
    model = nn.Sequential(nn.Embedding(64, 64), nn.TransformerEncoder(layer, depth), nn.Linear(64, 64))
    for one in model.parameters():
        if one.dim() > 1:
            nn.init.xavier_uniform_(one)
    made = torch.randint(64, (16, 16))
    return model, (made, made), None


def all_to(value: float) -> Callable[[nn.Sequential], None]:
    """Return what fills all weights with one value."""

    def change(model: nn.Sequential) -> None:
        for one in model.parameters():
            one.fill_(value)

    return change


def shut(model: nn.Sequential) -> None:
    """Shut every convolution off by its biases."""
    for one in model:
        if isinstance(one, nn.Conv2d):
            one.bias.fill_(-100.0)  # type: ignore[union-attr]


LOST, GROWN = {"vanishing", "dead"}, {"exploding", "nonfinite"}
ILL: tuple[tuple[str, Build, set[str]], ...] = (
    ("sigmoid, 20 layers", lambda: stacked(20, nn.Sigmoid, 0.125), LOST),
    ("relu, weights of 1e-3", lambda: stacked(12, nn.ReLU, 1e-3), LOST),
    ("tanh, weights of 1", lambda: stacked(20, nn.Tanh, 1.0), GROWN),
    ("relu, weights of 1", lambda: stacked(30, nn.ReLU, 1.0), GROWN),
    ("all weights zero", pictures_network(all_to(0.0)), LOST | {"collapsed"}),
    ("all weights alike", pictures_network(all_to(0.01)), {"collapsed"}),
    ("dead by their biases", pictures_network(shut), LOST),
    ("inputs from 0 to 255", pictures_network(lambda model: None, 128.0, 60.0), {"exploding"}),
    ("detached in the middle", detached, {"no-gradient"}),
    ("norms after the sums, 48 blocks", lambda: after_norms(48), {"collapsed"}),
)


def all_cases() -> list[Case]:
    """Return all models, those of the libraries as far as they are installed."""
    return [*own_cases(), *library_cases()]


# ---- what is said of each


def examine(case: Case, times: bool) -> tuple[str, float, str]:
    """Return what is said of a case, CPU time over a plain pass (nan: not asked for) and the first reason."""
    torch.manual_seed(0)
    model, batch, loss = case.build()
    model.train()
    plain = min(_plain(model, batch, loss) for _ in range(3)) if times else float("nan")
    torch.manual_seed(0)
    model, batch, loss = case.build()
    gc.collect()  # what building has left behind is none of the probe's
    start = time.process_time()
    try:
        report = probe(model, batch, loss, trial=not times)
    except GradcheckError as error:
        return "refused", float("nan"), str(error)
    except Exception as error:  # what it is here to find
        return "failed", float("nan"), f"{type(error).__name__}: {error}"
    return report.verdict.status, (time.process_time() - start) / plain, report.verdict.reasons[0]


def _plain(model: nn.Module, batch: Any, loss: Any) -> float:  # noqa: ANN401
    """Return the CPU time of one forward and backward pass."""
    start = time.process_time()
    if isinstance(batch, dict):
        value = model(**batch).loss
    else:
        output = model(batch[0])
        function = loss if callable(loss) else nn.functional.mse_loss if batch[1].is_floating_point() else cross_entropy
        value = function(output, batch[1])
    value.backward()
    model.zero_grad()
    return time.process_time() - start


def measure_named(only: str) -> None:
    """Print CPU time, medians of three, and peak memory of the named models, each over those of a plain pass."""
    print("| model | CPU time of a plain pass, s | of probe | peak memory of a plain pass, MiB | of probe |")
    print("|---|---|---|---|---|", flush=True)
    for name, build in NAMED.items():
        if not fnmatch.fnmatch(name, only):
            continue
        model, batch, loss = build()
        pairs = []
        for _ in range(3):
            plain = _plain(model, batch, loss)
            start = time.process_time()
            probe(model, batch, loss, trial=False)
            pairs.append((plain, time.process_time() - start))
        plain, probed = (sorted(side)[1] for side in zip(*pairs, strict=True))
        least, most = _peak(name, "plain"), _peak(name, "probe")
        print(f"| {name} | {plain:.2f} | {probed / plain:.2f} x | {least:.0f} | {most / least:.2f} x |", flush=True)


def _peak(name: str, what: str) -> float:
    """Return the peak memory of a process of its own, MiB."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", what, "--only", name], check=True, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout)


def be_child(name: str, what: str) -> None:
    """Make one pass, and print the largest memory of this process, MiB."""
    model, batch, loss = NAMED[name]()
    if what == "plain":
        _plain(model, batch, loss)
    else:
        probe(model, batch, loss, trial=False)
    print(largest_memory())


def cross_entropy(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of the last axis."""
    return nn.functional.cross_entropy(output.flatten(0, -2), targets.flatten())


def main() -> int:
    """Print a line for each model, and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="*", help="names, as a shell writes them")
    parser.add_argument("--times", action="store_true", help="CPU time over a plain pass, without a trial")
    parser.add_argument("--named", action="store_true", help="time and memory of ten models in their published sizes")
    parser.add_argument("--child", choices=("plain", "probe"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    rows: dict[str, list[tuple[bool, float]]] = {}
    probe(nn.Linear(2, 2), torch.randn(4, 2), trial=False)  # what is imported at its first use, no model pays for
    for library in ("torchvision", "timm", "transformers") if asked.named or asked.child else ():
        _installed(library)
    if asked.child:
        be_child(asked.only, asked.child)
        return 0
    if asked.named:
        measure_named(asked.only)
        return 0
    for case in all_cases():
        if not fnmatch.fnmatch(case.name, asked.only):
            continue
        status, ratio, reason = examine(case, asked.times)
        right = status in case.right
        rows.setdefault(case.name.partition(".")[0], []).append((right, ratio))
        print(
            f"{'ok  ' if right else 'FAIL'} {case.name:40} {status:12} {ratio:5.2f}  {'' if right else reason}",
            flush=True,
        )
    print("\n| from | models | as they should be | median CPU time over a plain pass |\n|---|---|---|---|")
    for source, found in rows.items():
        ratios = sorted(ratio for _, ratio in found)
        print(f"| {source} | {len(found)} | {sum(right for right, _ in found)} | {ratios[len(ratios) // 2]:.2f} |")
    return 0 if all(right for found in rows.values() for right, _ in found) else 1


if __name__ == "__main__":
    sys.exit(main())
