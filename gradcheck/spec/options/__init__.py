"""The table of options: each has one row, from which command line, functions, grids and documentation are made."""
