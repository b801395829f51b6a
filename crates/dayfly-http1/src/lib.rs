//! HTTP/1.1 as a state machine: octets in, answers out; no sockets.
