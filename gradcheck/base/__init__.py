"""What every room uses: records, wording, files, the parts of schemas."""
