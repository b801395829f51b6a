"""An HTTP server for many untrusted tenants: a new sandbox for every request."""
