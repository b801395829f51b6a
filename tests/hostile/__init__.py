"""Tenants that try to harm their neighbours or the server."""
