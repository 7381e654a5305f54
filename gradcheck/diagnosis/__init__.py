"""From a flow to flags, a verdict, a report, and its text."""
