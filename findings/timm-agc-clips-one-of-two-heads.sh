#!/bin/sh
# timm's adaptive clipping leaves out "the head" by leaving out the last two parameters, whatever these are.
#
# timm 1.0.31, PyTorch 2.13.0. --clip-mode agc of timm's training script takes model_parameters(model, exclude_head=True),
# as the paper of adaptive clipping asks for (Brock et al., 2021): the classifier is not to be clipped. What is left out are
# the last two of model.parameters(). Of models with two heads, for classes and for distillation (DeiT, LeViT,
# EfficientFormer, SwiftFormer, RepViT, CrossViT), one is left out and the other one is clipped; its weights start small, or
# at zero, so that its gradient is cut to a hundredth of nearly nothing. Of models whose weights end with a norm, as those
# without a head, a layer of the trunk is left out.
#
# Seen: deit_tiny_distilled_patch16_224, both heads alike: the gradient of `head_dist` keeps all of its norm, that of `head`
# less than a hundredth. Of samvit_base_patch16 and eva02_tiny_patch14_224 the last norm is left out.
#
# Exits with a code other than 0 if this is no longer so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 pyyaml huggingface_hub safetensors
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps torchvision==0.28.0 timm==1.0.31 pillow==12.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import torch

library = torch.library.Library("torchvision", "FRAGMENT")  # so that torchvision is imported beside any build of PyTorch
for name in ("nms", "qnms"):
    if not hasattr(torch.ops.torchvision, name):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import timm
from timm.models import model_parameters
from timm.utils import dispatch_clip_grad

warnings.simplefilter("ignore")


def left_out(name):
    """The parameters of a model that timm's training script doesn't clip adaptively."""
    with torch.device("meta"):
        model = timm.create_model(name)
    clipped = set(map(id, model_parameters(model, exclude_head=True)))
    return [key for key, one in model.named_parameters() if id(one) not in clipped]


torch.manual_seed(0)
model = timm.create_model("deit_tiny_distilled_patch16_224", num_classes=10)
model.set_distilled_training(True)
classes, distilled = model(torch.randn(8, 3, 224, 224))
labels = torch.arange(8)
loss = torch.nn.functional.cross_entropy
(loss(classes, labels) + loss(distilled, labels)).backward()
before = {name: getattr(model, name).weight.grad.norm().item() for name in ("head", "head_dist")}
dispatch_clip_grad(model_parameters(model, exclude_head=True), 0.01, mode="agc")
kept = {name: getattr(model, name).weight.grad.norm().item() / norm for name, norm in before.items()}
print({name: f"gradient {before[name]:.3g}, kept {share:.2%}" for name, share in kept.items()})
assert kept["head_dist"] == 1 and kept["head"] < 0.02

names = ("deit_tiny_distilled_patch16_224", "levit_128", "samvit_base_patch16", "eva02_tiny_patch14_224")
found = {name: left_out(name) for name in names}
for name, parameters in found.items():
    print(f"{name}: {', '.join(parameters)}")
assert found["deit_tiny_distilled_patch16_224"] == ["head_dist.weight", "head_dist.bias"]
assert found["levit_128"] == ["head_dist.linear.weight", "head_dist.linear.bias"]
assert not any("head" in one for name in names[2:] for one in found[name])
PYTHON
