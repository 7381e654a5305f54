"""Reports as text: one small file a format, each a function from a report to a string."""
