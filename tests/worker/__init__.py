"""Workers: real processes on real sockets, and what a hostile one could say."""
