"""The engine compared with central differences: what is checked, how, and on which machine."""
