//! What tenants log, on its way out: a bounded queue between the I/O threads and whoever drains it.
//!
//! Only the run that answers commits its lines. A full queue drops new records and counts them: a tenant that logs
//! faster than anybody reads costs nobody else memory or time.

use crate::message::LogLines;
use crate::request_id::RequestId;
use crossbeam_queue::ArrayQueue;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::SystemTime;

/// Records that may wait: 128 requests that write all the lines they may.
const RECORDS_MAX: usize = 8192;
/// Octets of text that may wait: 1,024 requests that write all the text they may.
const TEXT_BYTES_MAX: usize = 8 << 20;

/// The level of a program's failure.
pub const LEVEL_ERROR: u8 = 3;
/// The level of a fault of the server's own.
pub const LEVEL_CRITICAL: u8 = 4;

/// One line that a tenant's program logged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogRecord {
    /// Seconds since 1970 when the answer was committed.
    pub time_s: f64,
    /// The tenant's name; empty for what the server itself reports.
    #[serde(serialize_with = "as_text")]
    pub tenant: Arc<str>,
    /// Its release, as 64 hexadecimal digits.
    #[serde(serialize_with = "as_text")]
    pub release: Arc<str>,
    /// The request that wrote it.
    #[serde(serialize_with = "as_text")]
    pub request_id: RequestId,
    /// 0 debug, 1 info (print), 2 warning, 3 error, 4 critical.
    pub level: u8,
    /// The line without its line end.
    pub text: String,
}

fn as_text<S: serde::Serializer>(value: &impl std::fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Whose lines they are.
#[derive(Clone, Debug)]
pub struct Origin<'a> {
    /// The tenant's name.
    pub tenant: &'a Arc<str>,
    /// The release's digest.
    pub release: &'a str,
    /// The request.
    pub request_id: RequestId,
}

/// The bounded queue; shared by all threads.
#[derive(Debug)]
pub struct Log {
    records: ArrayQueue<LogRecord>,
    text_bytes: AtomicUsize,
    dropped: AtomicU64,
}

impl Default for Log {
    fn default() -> Log {
        Log { records: ArrayQueue::new(RECORDS_MAX), text_bytes: AtomicUsize::new(0), dropped: AtomicU64::new(0) }
    }
}

impl Log {
    /// Commits the lines of the run that answers, and empties them. Never blocks.
    pub fn commit(&self, origin: &Origin<'_>, lines: &mut LogLines) {
        if !lines.lines.is_empty() {
            let (time_s, release) = (since_1970_s(), Arc::<str>::from(origin.release));
            for (level, text) in lines.lines.drain(..) {
                self.push(LogRecord {
                    time_s,
                    tenant: origin.tenant.clone(),
                    release: release.clone(),
                    request_id: origin.request_id,
                    level,
                    text,
                });
            }
        }
        lines.clear();
    }

    /// Reports a fault of the server's own, for the operator.
    pub fn report(&self, request_id: RequestId, text: String) {
        let nobody: Arc<str> = Arc::default();
        self.push(LogRecord {
            time_s: since_1970_s(),
            tenant: nobody.clone(),
            release: nobody,
            request_id,
            level: LEVEL_CRITICAL,
            text,
        });
    }

    fn push(&self, record: LogRecord) {
        let bytes = record.text.len();
        let before = self.text_bytes.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > TEXT_BYTES_MAX || self.records.push(record).is_err() {
            self.text_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes what waits, oldest first.
    pub fn drain(&self) -> Vec<LogRecord> {
        let records: Vec<LogRecord> = std::iter::from_fn(|| self.records.pop()).take(RECORDS_MAX).collect();
        let bytes: usize = records.iter().map(|record| record.text.len()).sum();
        self.text_bytes.fetch_sub(bytes, Ordering::Relaxed);
        records
    }

    /// Records lost since the start because nobody drained the queue in time.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

fn since_1970_s() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_id::RequestIds;

    fn commit(log: &Log, texts: &[&str]) {
        let lines = texts.iter().map(|&text| (1, text.to_owned())).collect();
        let request_id = RequestIds::for_threads(1).expect("random octets")[0].draw();
        let origin = Origin { tenant: &"hello".into(), release: "00", request_id };
        let mut lines = LogLines { lines, bytes: 1, cut: 0 };
        log.commit(&origin, &mut lines);
        assert!(lines.lines.is_empty());
    }

    #[test]
    fn records_come_out_in_order_and_once() {
        let log = Log::default();
        commit(&log, &["a", "b"]);
        commit(&log, &[]);
        commit(&log, &["c"]);
        let texts: Vec<String> = log.drain().into_iter().map(|record| record.text).collect();
        assert_eq!(texts, ["a", "b", "c"]);
        assert!(log.drain().is_empty());
    }

    #[test]
    fn the_servers_own_reports_name_no_tenant() {
        let log = Log::default();
        log.report(RequestIds::for_threads(1).expect("random octets")[0].draw(), "a fault".to_owned());
        let record = &log.drain()[0];
        assert_eq!((&*record.tenant, record.level, record.text.as_str()), ("", LEVEL_CRITICAL, "a fault"));
    }

    #[test]
    fn a_full_queue_drops_the_newest_and_counts() {
        let log = Log::default();
        (0..RECORDS_MAX + 5).for_each(|n| commit(&log, &[&n.to_string()]));
        assert_eq!(log.dropped(), 5);
        let records = log.drain();
        assert_eq!((records.len(), records[0].text.as_str()), (RECORDS_MAX, "0"));
    }

    #[test]
    fn so_much_text_waits_and_no_more() {
        let (log, megabyte) = (Log::default(), "a".repeat(1 << 20));
        for _ in 0..3 {
            (0..10).for_each(|_| commit(&log, &[&megabyte]));
            assert_eq!(log.drain().len(), 8);
        }
        assert_eq!(log.dropped(), 6);
    }
}
