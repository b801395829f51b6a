//! The handler of faults: opens a page of a lent slot at its first write; everything else goes on to others.
//!
//! Three layers, because the engine must see a trap of its guest before any crash reporter does, and nobody else's
//! handler may be lost, whether it was installed before or after ours:
//!
//! ```text
//!  fault ─▶ top: a closed page of a slot lent to this thread? opened, done
//!            └▶ engine: a trap of a guest? becomes an error value
//!                └▶ bottom: handlers found on top of ours later, newest first; the one before us; the default: death
//! ```
//! The engine hands what is not its own to the handler that it found, so `bottom` is installed before the engine's and
//! `top` after it. Crash reporters (Python's `faulthandler`) print, put back the handler they found, which may be `top`,
//! and raise the signal again. That would go round in circles; so while `bottom` is passing a fault on, the next one on
//! the same thread goes one handler further, and at the end the default action kills the process by its signal. Meanwhile
//! nobody puts `top` back: what the reporter put there is meant for its own signal.

use crate::arena::Arena;
use crate::thread;
use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use wasmtime::{Engine, Store};

/// The signals that the slots or the engine live by. Page protection answers with SIGSEGV or SIGBUS, depending on how it is
/// done; `unreachable` and the like are SIGILL, a division by zero is SIGFPE.
const SIGNALS: [c_int; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];
/// Handlers found on top of ours that are remembered for each signal; of more, the newest.
const LATER_MAX: usize = 4;
/// A handler that returns without having done anything makes the same instruction fault again. After so many times the
/// next handler gets it.
const REPEATS_MAX: u32 = 16;
/// Bit of the error code on x86 (and of no other place) that tells a write from a read.
const WRITE_FAULT: i64 = 2;
/// `SEGV_ACCERR` and `BUS_ADRERR`: a protected page, by mprotect and by userfaultfd. Others, such as broken memory
/// (`BUS_MCEERR_AR`), are not ours; with other signals the same number means something else.
const PROTECTED_PAGE: c_int = 2;

/// One signal's chain. Actions are leaked when they are noted: the handler may be reading them at any moment.
struct Chain {
    engine: AtomicPtr<libc::sigaction>,
    earlier: AtomicPtr<libc::sigaction>,
    later: [AtomicPtr<libc::sigaction>; LATER_MAX],
}

impl Chain {
    const fn new() -> Chain {
        Chain {
            engine: AtomicPtr::new(ptr::null_mut()),
            earlier: AtomicPtr::new(ptr::null_mut()),
            later: [const { AtomicPtr::new(ptr::null_mut()) }; LATER_MAX],
        }
    }

    /// The handlers that `bottom` passes a fault to, in order.
    fn others(&self) -> impl Iterator<Item = *mut libc::sigaction> + '_ {
        let later = self.later.iter().rev().map(|action| action.load(Ordering::Acquire));
        later.chain(std::iter::once(self.earlier.load(Ordering::Acquire))).filter(|action| !action.is_null())
    }

    fn note_later(&self, action: libc::sigaction) {
        // SAFETY: noted actions are never freed.
        let known = |slot: &AtomicPtr<libc::sigaction>| unsafe {
            slot.load(Ordering::Acquire).as_ref().is_some_and(|noted| noted.sa_sigaction == action.sa_sigaction)
        };
        if self.later.iter().any(known) {
            return;
        }
        let free = self.later.iter().position(|slot| slot.load(Ordering::Acquire).is_null());
        let noted = Box::into_raw(Box::new(action));
        self.later[free.unwrap_or(LATER_MAX - 1)].store(noted, Ordering::Release);
    }
}

static CHAINS: [Chain; SIGNALS.len()] = [const { Chain::new() }; SIGNALS.len()];

/// The handlers are installed for `SIGNALS` only.
fn chain(signal: c_int) -> &'static Chain {
    let index = SIGNALS.iter().position(|known| *known == signal).unwrap_or(0);
    &CHAINS[index]
}

/// Installs the handler around the engine's. To be called before the process's first engine is made.
///
/// # Errors
/// The system refuses to change a signal's action.
///
/// # Panics
/// If an engine of this crate's `wasmtime` was made before.
pub fn install() -> io::Result<()> {
    static INSTALLED: Mutex<bool> = Mutex::new(false);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if *installed {
        return Ok(());
    }
    for signal in SIGNALS {
        let earlier = set_action(signal, bottom)?;
        chain(signal).earlier.store(Box::into_raw(Box::new(earlier)), Ordering::Release);
    }
    start_engine();
    for signal in SIGNALS {
        let found = set_action(signal, top)?;
        if found.sa_sigaction != bottom as *const () as usize {
            chain(signal).engine.store(Box::into_raw(Box::new(found)), Ordering::Release);
        }
    }
    assert!(!chain(libc::SIGSEGV).engine.load(Ordering::Acquire).is_null(), "an engine was made before `install`");
    *installed = true;
    Ok(())
}

/// The engine installs its handlers with the process's first store.
fn start_engine() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| drop(Store::new(&Engine::default(), ())));
}

/// Checks that the handler is still on top, and puts it there if somebody came later. Actions are the whole process's, so any
/// thread may do it, any time: it is done for every new slot, and now and then while guests run. Four system calls.
///
/// # Errors
/// The system refuses to tell or to change a signal's action.
pub fn ensure_on_top() -> io::Result<()> {
    SIGNALS.into_iter().try_for_each(|signal| if is_on_top(&action(signal)?) { Ok(()) } else { take_top(signal) })
}

fn is_on_top(action: &libc::sigaction) -> bool {
    action.sa_sigaction == top as *const () as usize
}

/// One thread at a time, so that a handler is noted once.
#[cold]
fn take_top(signal: c_int) -> io::Result<()> {
    static TAKING: Mutex<()> = Mutex::new(());
    let _taking = TAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let current = action(signal)?;
    if !is_on_top(&current) && PASSING.load(Ordering::SeqCst) == 0 {
        // Noted first: from the moment that ours is on top, faults of others must find it.
        chain(signal).note_later(current);
        set_action(signal, top)?;
    }
    Ok(())
}

type Handler = unsafe extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

fn action(signal: c_int) -> io::Result<libc::sigaction> {
    let mut current = MaybeUninit::uninit();
    // SAFETY: a null pointer asks without changing anything; the answer goes to valid memory.
    if unsafe { libc::sigaction(signal, ptr::null(), current.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, so it has written the answer.
    Ok(unsafe { current.assume_init() })
}

fn set_action(signal: c_int, handler: Handler) -> io::Result<libc::sigaction> {
    let mut before = MaybeUninit::uninit();
    // SAFETY: all octets zero is a valid `sigaction`: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    // On the alternate stack, because the fault may be an overflow of the normal one; and not blocked inside itself,
    // because a handler that we pass a fault to may raise it again.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
    // SAFETY: `handler` is async-signal-safe (it takes no lock, allocates nothing, and calls only what is).
    if unsafe { libc::sigaction(signal, &raw const action, before.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, so it has written the previous action.
    Ok(unsafe { before.assume_init() })
}

/// The first to see a fault.
unsafe extern "C" fn top(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes valid pointers to a handler with SA_SIGINFO.
    unsafe {
        if opens_page(signal, &*info, context) {
            return;
        }
        match chain(signal).engine.load(Ordering::Acquire).as_ref() {
            Some(engine) => handler_of(engine)(signal, info, context),
            None => bottom(signal, info, context),
        }
    }
}

/// Whether the fault was the first write to a page of a slot that this thread has been lent, and the page is open now.
///
/// # Safety
/// `context` is what the kernel passed to the handler.
unsafe fn opens_page(signal: c_int, info: &libc::siginfo_t, context: *mut c_void) -> bool {
    if !matches!(signal, libc::SIGSEGV | libc::SIGBUS) || info.si_code != PROTECTED_PAGE {
        return false;
    }
    // SAFETY: for these signals and this code the kernel fills in the address.
    let address = unsafe { info.si_addr() } as usize;
    let Some((stride, offset)) = Arena::existing().and_then(|arena| arena.stride_at(address)) else { return false };
    if stride.owner.load(Ordering::Relaxed) != thread::kernel_id() || !is_write(context) {
        return false;
    }
    // SAFETY: the slot is lent to this thread, so it exists and its state is not being dropped.
    let state = unsafe { stride.state.load(Ordering::Acquire).as_ref() };
    state.is_some_and(|state| state.on_write(offset))
}

fn is_write(context: *mut c_void) -> bool {
    // SAFETY: the kernel passes the interrupted thread's context to a handler with SA_SIGINFO.
    let context = unsafe { &*context.cast::<libc::ucontext_t>() };
    context.uc_mcontext.gregs[libc::REG_ERR as usize] & WRITE_FAULT != 0
}

/// The thread that a fault is being passed on for, and the handler that has it. Not its number: others may be noted.
static PASSING: AtomicI32 = AtomicI32::new(0);
static PASSED_TO: AtomicPtr<libc::sigaction> = AtomicPtr::new(ptr::null_mut());
/// The place of the last fault passed on and how often it came: a handler that returns and mends nothing.
static LAST_PLACE: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];
static REPEATS: AtomicU32 = AtomicU32::new(0);

/// Sees the faults that are neither a slot's nor a guest's.
unsafe extern "C" fn bottom(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let this = thread::kernel_id();
    let nested = PASSING.load(Ordering::Relaxed) == this;
    // SAFETY: the kernel (or the engine) passes valid pointers.
    let skipped = if nested { passed_handlers(chain(signal)) } else { unsafe { repeated_places(&*info, context) } };
    let next = chain(signal).others().nth(skipped);
    PASSING.store(this, Ordering::SeqCst);
    PASSED_TO.store(next.unwrap_or(ptr::null_mut()), Ordering::Relaxed);
    // SAFETY: noted actions are never freed; the pointers are those that we were given.
    unsafe {
        match next.and_then(|action| action.as_ref()) {
            Some(action) if is_function(action) => call(action, signal, info, context),
            Some(action) if action.sa_sigaction == libc::SIG_IGN && (*info).si_code <= 0 => {}
            _ => die(signal, (*info).si_code),
        }
    }
    if !nested {
        PASSING.store(0, Ordering::SeqCst);
    }
}

/// How many handlers come up to the one that has the fault now; all of them if none has it.
fn passed_handlers(chain: &Chain) -> usize {
    let last = PASSED_TO.load(Ordering::Relaxed);
    chain.others().position(|action| action == last).map_or(usize::MAX, |place| place + 1)
}

/// How many handlers have already returned from the very same fault, `REPEATS_MAX` times each.
///
/// # Safety
/// `context` is what the kernel passed to the handler.
unsafe fn repeated_places(info: &libc::siginfo_t, context: *mut c_void) -> usize {
    // SAFETY: the caller says so.
    let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    // SAFETY: for these signals the kernel fills in the address; for raised ones the octets are those of a sender.
    let address = unsafe { info.si_addr() } as usize;
    let [instruction, stack] = [libc::REG_RIP as usize, libc::REG_RSP as usize].map(|register| registers[register]);
    let place = [address, instruction.cast_unsigned() as usize, stack.cast_unsigned() as usize];
    let same =
        LAST_PLACE.iter().zip(place).fold(true, |same, (last, new)| last.swap(new, Ordering::Relaxed) == new && same);
    let repeats = if same { REPEATS.load(Ordering::Relaxed).saturating_add(1) } else { 0 };
    REPEATS.store(repeats, Ordering::Relaxed);
    (repeats / REPEATS_MAX) as usize
}

fn is_function(action: &libc::sigaction) -> bool {
    action.sa_sigaction != libc::SIG_DFL && action.sa_sigaction != libc::SIG_IGN
}

/// # Safety
/// `action` holds a function, and the pointers are those of the kernel.
unsafe fn call(action: &libc::sigaction, signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: an action with SA_SIGINFO holds a function of three parameters, one without holds one of one.
    unsafe {
        if action.sa_flags & libc::SA_SIGINFO != 0 {
            handler_of(action)(signal, info, context);
        } else {
            std::mem::transmute::<usize, unsafe extern "C" fn(c_int)>(action.sa_sigaction)(signal);
        }
    }
}

/// # Safety
/// `action` holds a function of three parameters.
unsafe fn handler_of(action: &libc::sigaction) -> Handler {
    // SAFETY: the caller says so.
    unsafe { std::mem::transmute::<usize, Handler>(action.sa_sigaction) }
}

/// The default action: a fault dies of it when the instruction runs again, a raised signal is raised once more.
fn die(signal: c_int, code: c_int) {
    // SAFETY: all octets zero is the default action; both calls are async-signal-safe.
    unsafe {
        let default: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, &raw const default, ptr::null_mut());
        if code <= 0 {
            libc::raise(signal);
        }
    }
}
