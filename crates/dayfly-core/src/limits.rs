//! What one request of a tenant may use. One object, filled once, enforced where each field says.

use serde::{Deserialize, Serialize};

/// Limits of one tenant. Defaults are the product's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Linear memory of the guest in bytes, a multiple of 64 KiB; growth beyond it is refused inside the guest.
    pub memory_bytes_max: u64,
    /// CPU time of one request in nanoseconds; beyond it the run is killed: 504 `cpu`.
    pub cpu_ns_max: u64,
    /// Wall time of one request in nanoseconds, queueing included; beyond it: 504 `wall`.
    pub wall_ns_max: u64,
    /// Octets of a response body; beyond it: 502 `bad_response`.
    pub response_body_bytes_max: u64,
    /// Octets of all response header fields together; beyond it: 502 `bad_response`.
    pub response_header_bytes_max: u64,
    /// Number of response header fields; beyond it: 502 `bad_response`.
    pub response_fields_max: u32,
    /// Octets of a request body; beyond it: 413.
    pub request_body_bytes_max: u64,
    /// Requests of the tenant that may wait in the overflow lane; beyond it: 503 `overload`.
    pub queue_max: u32,
    /// Octets of log a request may write; more is cut and counted.
    pub log_bytes_max: u32,
    /// Lines of log a request may write; more is cut and counted.
    pub log_lines_max: u32,
    /// CPU time of start-up and `on_init` together, in nanoseconds; beyond it the deploy is refused.
    pub init_cpu_ns_max: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            memory_bytes_max: 16 << 20,
            cpu_ns_max: 50_000_000,
            wall_ns_max: 10_000_000_000,
            response_body_bytes_max: 8 << 20,
            response_header_bytes_max: 64 << 10,
            response_fields_max: 100,
            request_body_bytes_max: 1 << 20,
            queue_max: 128,
            log_bytes_max: 8 << 10,
            log_lines_max: 64,
            init_cpu_ns_max: 5_000_000_000,
        }
    }
}
