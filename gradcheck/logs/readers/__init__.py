"""One reader for each format of a log's file, beside the text of a console."""
