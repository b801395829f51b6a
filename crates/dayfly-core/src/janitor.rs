//! A thread that drops what takes long to drop: giving pages back is time that requests would wait for.

use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

/// What may wait for the janitor; more is dropped by whoever has it.
const QUEUE_MAX: usize = 64;

type Rubbish = Box<dyn Send>;

/// Drops `value`, soon and on another thread if that can be had.
pub(crate) fn drop_later(value: impl Send + 'static) {
    match janitor() {
        // If the queue is full the value comes back in the error, and is dropped here after all.
        Some(janitor) => drop(janitor.try_send(Box::new(value))),
        None => drop(value),
    }
}

fn janitor() -> Option<&'static SyncSender<Rubbish>> {
    static JANITOR: OnceLock<Option<SyncSender<Rubbish>>> = OnceLock::new();
    let start = || {
        let (sender, receiver) = sync_channel::<Rubbish>(QUEUE_MAX);
        let work = move || receiver.into_iter().for_each(drop);
        thread::Builder::new().name("dayfly-janitor".to_owned()).spawn(work).ok().map(|_| sender)
    };
    JANITOR.get_or_init(start).as_ref()
}
