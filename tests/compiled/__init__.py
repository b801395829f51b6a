"""The compiled tier."""
