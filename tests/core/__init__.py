"""Tests of the core through its own doors."""
