"""The `python` tier: a bundle of files that CPython, frozen as the base, loads and is frozen with again."""
