"""The engine held against central differences: what is checked, how, and on which machine."""
