//! The whole data plane through its sockets.

mod lanes;
mod life;
mod outcomes;
mod support;
