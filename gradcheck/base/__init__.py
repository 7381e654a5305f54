"""What every room stands on: records, wording, files, the parts of schemas."""
