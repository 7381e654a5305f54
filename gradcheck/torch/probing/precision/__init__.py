"""What number formats lose, and what is rounding and nothing else."""
