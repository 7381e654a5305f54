"""Infinitely wide networks: normal pre-activations, whose variance and correlation maps carry from layer to layer."""
