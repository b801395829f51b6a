"""Real servers on real sockets, started by the command line."""
