//! The data plane as a process of its own. What its supervisor wants arrives on one socket; when that closes, it drains and
//! leaves.
//!
//! ```text
//!   supervisor --orders--> Inbox --> control thread --publish, retire--> publisher thread   (may read the disk)
//!              <-answers-- Outbox <------+  |  ^-- stats, poll, stop: answered at once
//!                                           +--serve, with the sockets--> main thread: Core::serve_on
//! ```
//! Each order has a number, and its answer the same. Answers may come in another order: whoever publishes must not keep a
//! stop waiting.

use crate::control::{Inbox, Outbox, channel};
use crate::core::{Core, CoreOptions, ServerOptions, TenantSpec};
use crate::crew::spawn;
use crate::error::Error;
use crate::log::LogRecord;
use crate::overflow::panic_message;
use serde::{Deserialize, Serialize};
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel as queue, sync_channel};

/// Of the messages in both directions. A supervisor and a worker that differ do not work together.
pub const PROTOCOL: u32 = 1;
/// As tools show it.
const PROCESS_NAME: &std::ffi::CStr = c"dayfly-worker";
/// Orders that may wait for the publisher; a supervisor sends a few at a time.
const ORDERS_MAX: usize = 64;

/// What a supervisor sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    /// Chosen by the supervisor; the answer has the same.
    id: u64,
    order: Order,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Order {
    /// Make these releases the ones that answer; the result has what was refused.
    Publish { tenants: Vec<Publication> },
    /// Take tenants away; those that are not known are none already.
    Retire { names: Vec<String> },
    /// Serve on the sockets that come with the message. Answered when connections are; once.
    Serve { options: ServerOptions },
    /// All counters.
    Stats {},
    /// The waiting log, and how the I/O threads are.
    Poll {},
    /// Stop accepting, finish, leave; a second time: leave.
    Stop {},
    /// The same for a worker whose successor serves already.
    HandOver {},
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Publication {
    tenant: TenantSpec,
    /// Its directory.
    release: PathBuf,
}

/// What a worker sends.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Report<T: Serialize> {
    /// The first message: it is ready for orders.
    Hello { protocol: u32, version: &'static str },
    /// The answer to an order.
    Done { id: u64, result: T },
    /// The answer to an order that could not be carried out.
    Failed { id: u64, error: Failure },
    /// The last message: it has served, or could not start.
    Ended { error: Option<Failure>, logs: Vec<LogRecord> },
}

/// An error by the name that it has in Python's tree.
#[derive(Debug, Serialize)]
struct Failure {
    kind: &'static str,
    text: String,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Failure {
        let kind = match error {
            Error::Refused(_) => "refused",
            Error::InitFailed(_) => "init",
            Error::Damaged { .. } => "damaged",
            Error::AddressInUse(_) => "address_in_use",
            Error::Invalid(_) => "usage",
            Error::Io { .. } => "system",
            Error::Internal(_) => "internal",
        };
        Failure { kind, text: error.to_string() }
    }
}

/// What was published and could not be.
#[derive(Debug, Serialize)]
struct Refused {
    name: String,
    error: Failure,
}

#[derive(Debug, Serialize)]
struct Polled {
    logs: Vec<LogRecord>,
    beats: Vec<u64>,
}

/// An order to serve.
struct Serve {
    id: u64,
    options: ServerOptions,
    sockets: Vec<OwnedFd>,
}

/// Serves as the supervisor at the other end of `control` says, until it says stop or is gone; blocks.
///
/// # Errors
/// As [`Core::new`] and [`Core::serve_on`]. The supervisor has been told.
pub fn run(control: OwnedFd, options: CoreOptions) -> Result<(), Error> {
    rustix::thread::set_name(PROCESS_NAME).ok();
    let (inbox, outbox) = channel(control);
    let worker = Worker::start(options, inbox, outbox.clone());
    let (served, logs) = match worker {
        Ok((core, orders)) => (serve(&core, &outbox, &orders), core.logs()),
        Err(error) => (Err(error), Vec::new()),
    };
    let error = served.as_ref().err().map(Failure::from);
    // A supervisor that is gone does not hear it.
    outbox.send(&Report::<()>::Ended { error, logs }).ok();
    served
}

/// Waits for the order to serve, and does. Nothing is wrong if none comes.
fn serve(core: &Core, outbox: &Outbox, orders: &Receiver<Serve>) -> Result<(), Error> {
    let Ok(Serve { id, options, sockets }) = orders.recv() else { return Ok(()) };
    core.serve_on(sockets, &options, || {
        outbox.send(&Report::Done { id, result: () }).ok();
    })
}

/// The thread that listens to the supervisor.
struct Worker {
    core: Arc<Core>,
    outbox: Outbox,
    publisher: SyncSender<(u64, Order)>,
    /// Until it serves, or is to stop before.
    main: Option<Sender<Serve>>,
    /// It was told to stop, or to hand over.
    told: bool,
}

impl Worker {
    fn start(options: CoreOptions, inbox: Inbox, outbox: Outbox) -> Result<(Arc<Core>, Receiver<Serve>), Error> {
        let core = Arc::new(Core::new(options)?);
        let (publisher, to_publish) = sync_channel(ORDERS_MAX);
        let (main, to_serve) = queue();
        let publishing = Publisher { core: core.clone(), outbox: outbox.clone() };
        spawn("publisher", move || publishing.run(&to_publish))?;
        outbox.send(&Report::<()>::Hello { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION") })?;
        let mut worker = Worker { core: core.clone(), outbox, publisher, main: Some(main), told: false };
        spawn("control", move || worker.listen(inbox))?;
        Ok((core, to_serve))
    }

    /// Until the supervisor is gone, or says what cannot be understood: that is no supervisor of ours.
    fn listen(&mut self, mut inbox: Inbox) {
        while let Ok(Some(json)) = inbox.receive() {
            let Ok(message) = serde_json::from_slice::<Message>(&json) else { break };
            if self.obey(message, &mut inbox).is_err() {
                break;
            }
        }
        self.main = None;
        // A second stop would cut what is being finished.
        if !self.told {
            self.core.stop();
        }
    }

    /// An error: the supervisor does not hear any more.
    fn obey(&mut self, Message { id, order }: Message, inbox: &mut Inbox) -> Result<(), Error> {
        match order {
            Order::Publish { .. } | Order::Retire { .. } => {
                let sent = self.publisher.try_send((id, order));
                sent.or_else(|_| self.fail(id, &Error::Internal("too many orders wait".to_owned())))
            }
            Order::Serve { options } => {
                let order = Serve { id, options, sockets: inbox.take_descriptors() };
                let sent = self.main.take().and_then(|main| main.send(order).ok());
                match sent {
                    Some(()) => Ok(()),
                    None => self.fail(id, &Error::Invalid("this worker has served already".to_owned())),
                }
            }
            Order::Stats {} => self.done(id, self.core.stats()),
            Order::Poll {} => self.done(id, Polled { logs: self.core.logs(), beats: self.core.beats() }),
            Order::Stop {} => {
                // First: the process may be gone before the next line.
                let heard = self.done(id, ());
                (self.main, self.told) = (None, true);
                self.core.stop();
                heard
            }
            Order::HandOver {} => {
                let heard = self.done(id, ());
                (self.main, self.told) = (None, true);
                self.core.hand_over();
                heard
            }
        }
    }

    fn done(&self, id: u64, result: impl Serialize) -> Result<(), Error> {
        self.outbox.send(&Report::Done { id, result })
    }

    fn fail(&self, id: u64, error: &Error) -> Result<(), Error> {
        self.outbox.send(&Report::<()>::Failed { id, error: error.into() })
    }
}

/// The thread that publishes: one order after the other.
struct Publisher {
    core: Arc<Core>,
    outbox: Outbox,
}

impl Publisher {
    fn run(&self, orders: &Receiver<(u64, Order)>) {
        for (id, order) in orders {
            let result = match order {
                Order::Publish { tenants } => tenants.iter().filter_map(|one| self.publish(one)).collect(),
                Order::Retire { names } => {
                    // One that is not there need not be taken away.
                    for name in &names {
                        guarded(|| self.core.retire(name)).unwrap_or_default();
                    }
                    Vec::new()
                }
                _ => continue,
            };
            if self.outbox.send(&Report::Done { id, result }).is_err() {
                return;
            }
        }
    }

    fn publish(&self, one: &Publication) -> Option<Refused> {
        let error = guarded(|| self.core.publish(&one.tenant, &one.release)).err()?;
        Some(Refused { name: one.tenant.name.clone(), error: (&error).into() })
    }
}

/// Does something for one tenant. A bug of ours that shows there is an error for that one: the supervisor waits for an answer.
fn guarded<T>(act: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let caught = catch_unwind(AssertUnwindSafe(act));
    caught.unwrap_or_else(|panic| Err(Error::Internal(panic_message(&*panic).to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_over_one_tenant_is_an_error_and_no_silence() {
        assert!(matches!(guarded::<()>(|| panic!("a bug")), Err(Error::Internal(_))));
        assert_eq!(guarded(|| Ok(1)).ok(), Some(1));
    }
}
