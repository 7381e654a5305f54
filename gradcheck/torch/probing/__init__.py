"""PyTorch: the user's own model, by the framework's own autograd."""
