"""The python tier: what runs inside CPython, natively and in real sandboxes."""
