//! Requests that are answered by other threads than the one that has their connection: the overflow lane, for runs
//! longer than the inline budget, and the lane for hostcalls that block.
//!
//! ```text
//!   I/O thread ──Job──▶ crew of the lane ──run from the snapshot──▶ Late ──mailbox──▶ the same I/O thread
//!                         overflow: a thread a processor      │
//!                         blocking: many, mostly asleep ◀─────┘ a hostcall would block: run again there
//! ```
//! A sandboxed request has no outside effect before its answer, so running it again is invisible; what a discarded run
//! logged or replied is dropped, and its CPU time is charged to the tenant.

use crate::crew::{self, Crew, Task};
use crate::engine::Engine;
use crate::error::{Cause, Error, Fault, Stop};
use crate::event_loop::Mailbox;
use crate::fair_queue::Key;
use crate::kept::KeptRequest;
use crate::log::{LEVEL_ERROR, Log};
use crate::message::Answer;
use crate::placement::Feedback;
use crate::request_id::RequestId;
use crate::sandbox::{Allowance, Lane};
use crate::slots::{Slots, SlotsOptions};
use crate::stats::LaneStats;
use crate::tenant::{Admission, Current};
use dayfly_http1::Ticket;
use dayfly_sys::thread::cpu_ns;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Threads in the blocking lane for each processor: they sleep nearly all the time.
const BLOCKING_PER_PROCESSOR: usize = 16;
/// Bounds of the blocking lane's threads, whatever the number of processors.
const BLOCKING_MIN: usize = 32;
const BLOCKING_MAX: usize = crate::idle::THREADS_MAX;
/// Nice value of the overflow lane's threads: with weight 110 beside 1024, a tenth of a busy processor is theirs.
const NICE: i32 = 10;
/// Nice value of the blocking lane's threads: weight 15. Whoever sleeps a moment and then computes could otherwise have
/// many threads at the overflow lane's weight, and the I/O threads would keep a third of their processors.
const BLOCKING_NICE: i32 = 19;
/// A tenant may hold one in so many of the blocking lane's threads, for as long as its wall limit.
const BLOCKING_TENANT_PART: usize = 4;
/// One rescuer for so many processors: its share of the machine is a fifth.
const PROCESSORS_PER_RESCUER: usize = 5;

/// A request on its way to another lane.
#[derive(Debug)]
pub struct Job {
    /// Whose it is, and the release that it keeps though a newer one may be published.
    pub current: Arc<Current>,
    /// What is asked.
    pub request: KeptRequest,
    /// Its name.
    pub id: RequestId,
    /// When its wall time began.
    pub arrived: Instant,
    /// Who waits for the answer.
    pub client: Client,
    /// Its place in its tenant's queue.
    pub admission: Admission,
    /// What was spent on it in vain.
    pub spent: Spent,
}

/// Who waits for a late answer.
#[derive(Clone, Debug)]
pub struct Client {
    /// The request on its connection.
    pub ticket: Ticket,
    /// The I/O thread that has the connection.
    pub mailbox: Mailbox<Box<Late>>,
    /// Set by that thread when the connection ends.
    pub left: Arc<AtomicBool>,
}

/// Runs that were thrown away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// How many.
    pub reruns: u64,
    /// Their CPU time, nanoseconds.
    pub cpu_ns: u64,
}

/// An answer from another lane.
#[derive(Debug)]
pub struct Late {
    /// Whose it is.
    pub current: Arc<Current>,
    /// The request's name.
    pub id: RequestId,
    /// Where it was answered.
    pub lane: Lane,
    /// Whether `answer.reply` is the program's reply.
    pub result: Result<(), Cause>,
    /// Reply and log of the run that answers.
    pub answer: Answer,
    /// CPU time of that run, nanoseconds.
    pub cpu_ns: u64,
    /// Pages restored after it.
    pub restored_pages: u64,
    /// What was spent on it in vain.
    pub spent: Spent,
    /// What the run tells about its tenant; nothing if there was none.
    pub feedback: Option<Feedback>,
}

impl Late {
    /// The answer to a request that no lane takes, since too many of its tenant wait.
    pub fn refused(current: Arc<Current>, id: RequestId, lane: Lane, spent: Spent) -> Late {
        let Run { result, answer, cpu_ns, restored_pages, feedback } = Run::none(Cause::Overload);
        Late { current, id, lane, result, answer, cpu_ns, restored_pages, spent, feedback }
    }
}

impl Spent {
    /// Adds one discarded run.
    pub fn add(&mut self, cpu_ns: u64) {
        self.reruns += 1;
        self.cpu_ns += cpu_ns;
    }
}

impl Job {
    fn deadline(&self) -> Instant {
        self.arrived + Duration::from_nanos(self.current.limits.wall_ns_max)
    }

    fn client_left(&self) -> bool {
        self.client.left.load(Ordering::Relaxed)
    }

    /// Sends the answer on its way. The tenant's place is free before its client can ask again.
    fn answer(self, lane: Lane, run: Run) {
        drop(self.admission);
        let letter = Late {
            current: self.current,
            id: self.id,
            lane,
            result: run.result,
            answer: run.answer,
            cpu_ns: run.cpu_ns,
            restored_pages: run.restored_pages,
            spent: self.spent,
            feedback: run.feedback,
        };
        self.client.mailbox.send(self.client.ticket, Box::new(letter));
    }
}

impl Task for Job {
    fn tenant(&self) -> Key {
        self.current.tenant.key
    }

    fn arrived(&self) -> Instant {
        self.arrived
    }

    fn is_over(&self, now: Instant) -> bool {
        self.client_left() || now >= self.deadline()
    }

    fn charged_ns(&self) -> u64 {
        self.spent.cpu_ns
    }
}

/// One run's end.
#[derive(Debug)]
struct Run {
    result: Result<(), Cause>,
    answer: Answer,
    cpu_ns: u64,
    restored_pages: u64,
    feedback: Option<Feedback>,
}

impl Run {
    /// There was no run.
    fn none(cause: Cause) -> Run {
        Run { result: Err(cause), answer: Answer::default(), cpu_ns: 0, restored_pages: 0, feedback: None }
    }
}

/// How large the lanes are.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads that submit jobs.
    pub io_threads: usize,
    /// Processors that this process may use.
    pub processors: usize,
    /// Threads of the overflow lane.
    pub threads: usize,
}

impl Options {
    fn long_runs(self) -> crew::Options {
        crew::Options {
            name: "overflow",
            workers: self.threads,
            nice: NICE,
            tenant_workers_max: self.threads,
            rescuers: self.processors.div_ceil(PROCESSORS_PER_RESCUER),
            processors: self.processors,
            submitters: self.io_threads,
        }
    }

    fn blocking(self) -> crew::Options {
        let workers = (self.processors * BLOCKING_PER_PROCESSOR).clamp(BLOCKING_MIN, BLOCKING_MAX);
        crew::Options {
            name: "blocking",
            workers,
            nice: BLOCKING_NICE,
            tenant_workers_max: workers / BLOCKING_TENANT_PART,
            rescuers: 1,
            processors: self.processors,
            submitters: self.io_threads,
        }
    }
}

/// Both lanes.
#[derive(Debug)]
pub struct Overflow {
    long_runs: Arc<Crew<Job>>,
    blocking: Arc<Crew<Job>>,
}

impl Overflow {
    /// Starts the threads of both lanes.
    pub fn start(options: Options, engine: &Engine, log: &Arc<Log>) -> Result<Overflow, Error> {
        let (long_runs, blocking) = (Crew::new(options.long_runs()), Crew::new(options.blocking()));
        let lanes = Overflow { long_runs: long_runs.clone(), blocking: blocking.clone() };
        for (crew, lane) in [(long_runs, Lane::Overflow), (blocking.clone(), Lane::Blocking)] {
            let slots = SlotsOptions::of_lane(lane, crew.threads());
            let (engine, log, blocking, submitter) =
                (engine.clone(), log.clone(), blocking.clone(), options.io_threads);
            crew.start(move || {
                let (slots, log, blocking) = (Slots::new(&engine, slots), log.clone(), blocking.clone());
                let mut runner = Runner { lane, slots, log, blocking, submitter };
                move |job| runner.run(job)
            })?;
        }
        Ok(lanes)
    }

    /// Hands a job over from an I/O thread to a lane; never blocks.
    ///
    /// # Panics
    /// If the lane is the inline one.
    pub fn submit(&self, lane: Lane, io_thread: usize, job: Job) {
        match lane {
            Lane::Overflow => self.long_runs.submit(io_thread, job),
            Lane::Blocking => self.blocking.submit(io_thread, job),
            Lane::Inline => unreachable!("the inline lane is the I/O thread itself"),
        }
    }

    /// Figures of the overflow and the blocking lane.
    pub fn stats(&self) -> (LaneStats, LaneStats) {
        (self.long_runs.stats(), self.blocking.stats())
    }

    /// Ends the threads when they have done what waits, see [`Crew::stop`]. No job may be submitted any more.
    pub fn stop(&self) {
        self.long_runs.stop();
        self.blocking.stop();
    }
}

impl Drop for Overflow {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What a thread of a lane needs to run jobs.
struct Runner {
    lane: Lane,
    slots: Slots,
    log: Arc<Log>,
    /// Where a run goes on that would block here.
    blocking: Arc<Crew<Job>>,
    submitter: usize,
}

impl Runner {
    /// Runs a job and sends its answer; nothing is run for a client that has left or whose wall time is over.
    fn run(&mut self, job: Job) {
        if job.is_over(Instant::now()) {
            return job.answer(self.lane, Run::none(Cause::Wall));
        }
        let (id, mut job) = (job.id, Some(job));
        let caught = catch_unwind(AssertUnwindSafe(|| self.run_in_sandbox(&mut job)));
        if let Err(panic) = caught {
            self.log.report(id, format!("panic in the {} lane: {}", self.lane.name(), panic_message(&*panic)));
        }
        if let Some(unanswered) = job {
            unanswered.answer(self.lane, Run::none(Cause::Internal));
        }
    }

    /// Takes the job when it is answered or handed on. The answer is on its way before the slot is restored.
    fn run_in_sandbox(&mut self, waiting: &mut Option<Job>) {
        let Some(job) = waiting.as_ref() else { return };
        let limits = &job.current.limits;
        let allowance =
            Allowance { lane: self.lane, cpu_ns_max: limits.cpu_ns_max, wall_deadline: Some(job.deadline()) };
        let mut answer = Answer::default();
        let is_cold = !job.current.release.is_resident();
        let began_ns = cpu_ns();
        let mut sandbox = match self.slots.take(&job.current) {
            Ok(sandbox) => sandbox,
            Err(error) => {
                let cause = no_slot(&error, job.id, &self.log);
                if let Some(job) = waiting.take() {
                    job.answer(self.lane, Run::none(cause));
                }
                return;
            }
        };
        // Reading a release from disk is paid for, but says nothing of its program.
        let loaded_ns = if is_cold { cpu_ns() - began_ns } else { 0 };
        let ended = job.request.with(|request| sandbox.call(request, &allowance, &mut answer));
        let cpu_ns = cpu_ns() - began_ns;
        let Some(mut job) = waiting.take() else { return };
        if ended == Err(Stop::Blocks) && self.lane == Lane::Overflow {
            job.spent.add(cpu_ns);
            return self.blocking.submit(self.submitter, job);
        }
        let feedback = Feedback {
            cpu_ns: cpu_ns - loaded_ns,
            large_hot_set: !sandbox.restores_quickly(),
            blocked: self.lane == Lane::Blocking && sandbox.blocked(),
        };
        let result = ended.map_err(|stop| note(&stop, job.id, &mut answer, &self.log));
        let restored_pages = sandbox.hot_pages() as u64;
        job.answer(self.lane, Run { result, answer, cpu_ns, restored_pages, feedback: Some(feedback) });
    }
}

/// Writes down why a run ended without a reply: for the tenant in its log, for the operator if the fault is ours.
pub fn note(stop: &Stop, id: RequestId, answer: &mut Answer, log: &Log) -> Cause {
    match stop {
        Stop::Internal(text) => log.report(id, text.clone()),
        stop => answer.log.lines.push((LEVEL_ERROR, stop.to_string())),
    }
    stop.cause()
}

/// Writes down why there is no slot for a request. Without room for one the server is overloaded.
pub fn no_slot(error: &Error, id: RequestId, log: &Log) -> Cause {
    log.report(id, error.to_string());
    match error.fault() {
        Fault::Host => Cause::Internal,
        Fault::Guest | Fault::Operator => Cause::Overload,
    }
}

/// What a panic said.
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a message")
}
