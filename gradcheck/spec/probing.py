"""What a user's own model can be probed with: the choices by name, known before PyTorch is loaded."""

#: The modes of a model.
MODES = ("train", "eval")

#: Autocast's arithmetics ↦ log2 of the loss scale: the one that PyTorch's GradScaler starts with; bfloat16 needs none.
LOSS_SCALES = {"fp16": 16, "bf16": 0}

#: What takes the steps.
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw", "rmsprop")
