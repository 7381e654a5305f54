"""A test of a model's gradients, with the fixture of gradcheck's pytest plugin: ``pytest test_gradients.py``."""

import torch
from models import healthy


def test_gradients_reach_the_first_layer(gradcheck):
    torch.manual_seed(0)  # the same weights each time
    gradcheck.assert_healthy(healthy(), (torch.randn(16, 32), torch.randint(10, (16,))))
