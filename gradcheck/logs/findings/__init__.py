"""What a log shows: each criterion is a function from series to findings. All are relative to the run itself."""
