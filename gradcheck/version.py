"""The version, and that of the JSON documents."""

__version__ = "0.1.0"

#: Of the JSON documents.
SCHEMA_VERSION = 1
