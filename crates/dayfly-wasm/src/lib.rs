//! Module surgery: makes a wasm module whose linear memory is its whole state.
