"""What is measured along a sequence: recurrences step by step, attention, tokens."""
