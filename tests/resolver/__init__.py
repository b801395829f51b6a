"""Packages: what is asked for, what is locked, what is unpacked."""
