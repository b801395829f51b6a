//! The way of a request from its connection to its sandbox and back, on one I/O thread. Read [`Server::serve_one`].

use crate::access::{Asked, Cost, Watch};
use crate::engine::Engine;
use crate::error::Cause;
use crate::event_loop::Mailbox;
use crate::forwarded::TrustedProxies;
use crate::kept::KeptRequest;
use crate::lanes::{Ended, INLINE, Lanes, Verdict};
use crate::log::{Log, Origin};
use crate::message::{Answer, Reply, Request};
use crate::overflow::{Client, Job, Late, Overflow, Spent, no_slot, note};
use crate::problem::{self, Failure, Problem};
use crate::request_id::{RequestId, RequestIds};
use crate::router::View;
use crate::sandbox::Lane;
use crate::seen::{Seen, Texts};
use crate::slots::{Slots, SlotsOptions};
use crate::stats::{Outcome, ThreadCounters};
use crate::tenant::Current;
use dayfly_http1::{Answered, Framing, Handler, Head, Peer, Refusal, Respond, Rule, Ticket};
use dayfly_sys::thread::cpu_ns;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A refusal for lack of room is sent this late: told at once, a client in a loop would ask again at once, and the
/// refusals alone would fill the I/O thread (a queue of 8 beside 64 such clients took two thirds of a neighbour's rate).
const REFUSAL_DELAY: Duration = Duration::from_millis(20);

/// The page that is answered without a sandbox, for comparison; on all hosts that are no tenant's own.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// The one path, compared as received.
    pub path: String,
    /// Its content.
    pub body: Vec<u8>,
    /// Complete field lines.
    pub field_lines: Vec<u8>,
}

/// What the I/O threads of a server share.
#[derive(Debug)]
pub struct Shared {
    /// The other lanes.
    pub overflow: Overflow,
    /// What tenants log.
    pub log: Arc<Log>,
    /// Whose word about clients is believed.
    pub trusted_proxies: TrustedProxies,
    /// For comparison.
    pub baseline: Option<Baseline>,
    /// Who looks on.
    pub watch: Watch,
    /// Whether answers name the release.
    pub release_header: bool,
}

impl Shared {
    fn name_release(&self, current: &Current, reply: &mut Reply) {
        if self.release_header {
            reply.field_lines.extend_from_slice(&current.release_line);
        }
    }
}

/// One I/O thread's handler.
pub struct Server {
    thread: usize,
    shared: Arc<Shared>,
    counters: Arc<ThreadCounters>,
    routes: View<Current>,
    slots: Slots,
    lanes: Lanes,
    ids: RequestIds,
    mailbox: Mailbox<Box<Late>>,
    /// Requests that another lane answers.
    awaited: AwaitedRequests,
    /// Reply and log of the present run; the buffers are used again.
    answer: Answer,
}

type AwaitedRequests = HashMap<Ticket, Awaited, foldhash::fast::RandomState>;

/// A request that another lane answers.
struct Awaited {
    /// How that lane learns that its client has left.
    left: Arc<AtomicBool>,
    /// For the record of it, if there is to be one.
    asked: Option<Asked>,
}

/// How `serve_one` ended well.
enum Served {
    /// The reply stands in `answer`.
    Now,
    /// Another lane will answer.
    Later,
}

/// What a thread's handler is made of.
pub struct Parts {
    /// Number of the thread.
    pub thread: usize,
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// Written by this thread only.
    pub counters: Arc<ThreadCounters>,
    /// The thread's view of the routes.
    pub routes: View<Current>,
    /// What its sandboxes run on.
    pub engine: Engine,
    /// Its share of the slots.
    pub slots: SlotsOptions,
    /// Names of its requests.
    pub ids: RequestIds,
    /// Where its late answers arrive.
    pub mailbox: Mailbox<Box<Late>>,
}

impl Server {
    /// A handler that has served nothing yet.
    pub fn new(parts: Parts) -> Server {
        let Parts { thread, shared, counters, routes, engine, slots, ids, mailbox } = parts;
        Server {
            thread,
            shared,
            counters,
            routes,
            slots: Slots::new(&engine, slots),
            lanes: Lanes::new(Instant::now(), engine.ticker().ticks()),
            ids,
            mailbox,
            awaited: HashMap::default(),
            answer: Answer::default(),
        }
    }

    /// From a request to its reply.
    fn serve_one(
        &mut self,
        id: RequestId,
        request: &dayfly_http1::Request<'_>,
        peer: &Peer,
        ticket: Ticket,
    ) -> Result<Served, Failure> {
        // Host and path to release: one atomic load. The release is borrowed from the table that this thread holds.
        let origin = self.shared.trusted_proxies.origin(peer, &request.head);
        let Some((current, mount)) = self.routes.routes().find(origin.authority.host, request.head.path) else {
            self.counters.unknown.add(1);
            return Err(Failure::NoTenant);
        };
        let current = current.next(self.thread);
        let (tenant, counted) = (&*current.tenant, current.tenant.counters(self.thread));
        let texts = Texts::of(request, &origin, current.release.takes());
        let seen = Seen::of(request.head.fields, &origin, current.release.takes(), &texts);
        let request = seen.request(request, &origin, mount);
        let mut elsewhere =
            Elsewhere { thread: self.thread, shared: &self.shared, mailbox: &self.mailbox, awaited: &mut self.awaited };

        // Nearly every request starts here; its tenant's past says otherwise for a few.
        let lane = self.lanes.start(tenant);
        if lane != Lane::Inline {
            self.counters.direct.add(1);
            elsewhere.hand_over(lane, id, current, &request, ticket, Spent::default());
            return Ok(Served::Later);
        }

        // A clean slot of a release in memory, lent to this one request. Limits, traps and hostcalls live inside.
        let trial = self.lanes.begin(tenant);
        let watched_ns = self.shared.watch.accesses.as_ref().map(|_| cpu_ns());
        let taken = self.slots.take_at_once(current).map_err(|error| no_slot(&error, id, &self.shared.log))?;
        let Some(mut sandbox) = taken else {
            // The other lane may wait for the disk.
            current.release.note_cold_request();
            elsewhere.hand_over(Lane::Overflow, id, current, &request, ticket, Spent::default());
            return Ok(Served::Later);
        };
        let result = sandbox.call(&request, &INLINE, &mut self.answer);
        let ended = Ended::of(&result, &sandbox);
        drop(sandbox); // restores or discards its slot: part of what the request costs
        let pages = ended.hot_pages as u64;
        let cost = watched_ns.map(|began| Cost { lane, cpu_ns: cpu_ns() - began, pages, reruns: 0 });

        // Too long for this thread: the run is thrown away, and the request runs again from the snapshot elsewhere.
        match self.lanes.judge(tenant, trial, ended, &self.counters) {
            Verdict::Again { lane, cpu_ns } => {
                self.answer.log.clear();
                elsewhere.hand_over(lane, id, current, &request, ticket, Spent { reruns: 1, cpu_ns });
                return Ok(Served::Later);
            }
            Verdict::Ended { cpu_ns, restored_pages } => counted.cost(cpu_ns, restored_pages),
        }
        let result = result.map_err(|stop| note(&stop, id, &mut self.answer, &self.shared.log));
        commit(&self.shared.log, id, current, &mut self.answer, self.thread);
        counted.ended(outcome(result), Lane::Inline);
        if let (Some(accesses), Some(cost)) = (&self.shared.watch.accesses, cost) {
            let status = result.map_or_else(Cause::status, |()| self.answer.reply.status);
            accesses.note(Asked::of(&request), id, current, status, cost);
        }
        if let Err(cause) = result {
            Problem::new(cause, id).write_to(&mut self.answer.reply);
        }
        self.shared.name_release(current, &mut self.answer.reply);
        Ok(Served::Now)
    }

    fn send(&self, respond: Respond<'_>) -> Answered {
        let reply = &self.answer.reply;
        respond.send(reply.status, &reply.field_lines, &reply.body)
    }

    fn send_problem(&mut self, failure: impl Into<Failure>, id: RequestId, respond: Respond<'_>) -> Answered {
        Problem::new(failure, id).write_to(&mut self.answer.reply);
        self.send(respond)
    }

    fn refuse(&mut self, failure: impl Into<Failure>, id: RequestId) -> Refusal {
        let reply = &mut self.answer.reply;
        Problem::new(failure, id).write_to(reply);
        Refusal { status: reply.status, field_lines: reply.field_lines.clone(), content: reply.body.clone() }
    }

    /// Counts what an answer from another lane has cost, and learns from it.
    fn receive(&mut self, late: &Late, outcome: Outcome) {
        let tenant = &*late.current.tenant;
        let counted = tenant.counters(self.thread);
        counted.cost(late.cpu_ns + late.spent.cpu_ns, late.restored_pages);
        counted.reruns.add(late.spent.reruns);
        counted.rerun_cpu_ns.add(late.spent.cpu_ns);
        counted.ended(outcome, late.lane);
        if let Some(feedback) = late.feedback {
            self.lanes.learn(tenant, feedback);
        }
    }

    /// What every request is answered with while the gate is closed.
    fn refused_at_the_gate(&self) -> Option<Refusal> {
        let text = self.shared.watch.gate.as_ref()?.refusal()?;
        let field_lines = b"Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n".to_vec();
        Some(Refusal { status: 503, field_lines, content: text.into_bytes() })
    }

    /// The baseline answers at its path, before every prefix, but never on a tenant's own host.
    fn asks_baseline(&mut self, head: &Head<'_>, peer: &Peer) -> bool {
        if self.shared.baseline.as_ref().is_none_or(|baseline| baseline.path != head.path) {
            return false;
        }
        let origin = self.shared.trusted_proxies.origin(peer, head);
        !self.routes.routes().has_host(origin.authority.host)
    }
}

impl Handler for Server {
    type Late = Box<Late>;

    fn admit(&mut self, head: &Head<'_>, peer: &Peer) -> Result<u64, Refusal> {
        if self.asks_baseline(head, peer) {
            return Ok(0);
        }
        if let Some(refused) = self.refused_at_the_gate() {
            return Err(refused);
        }
        let origin = self.shared.trusted_proxies.origin(peer, head);
        let Some((current, _)) = self.routes.routes().find(origin.authority.host, head.path) else {
            self.counters.unknown.add(1);
            let id = self.ids.draw();
            return Err(self.refuse(Failure::NoTenant, id));
        };
        let bytes_max = current.limits.request_body_bytes_max;
        match head.framing {
            Framing::Length(bytes) if bytes > bytes_max => {
                let id = self.ids.draw();
                Err(self.refuse(Failure::ContentTooLarge, id))
            }
            _ => Ok(bytes_max),
        }
    }

    fn call(
        &mut self,
        request: &dayfly_http1::Request<'_>,
        peer: &Peer,
        ticket: Ticket,
        respond: Respond<'_>,
    ) -> Answered {
        if self.asks_baseline(&request.head, peer)
            && let Some(baseline) = &self.shared.baseline
        {
            self.counters.baseline.add(1);
            return respond.send(200, &baseline.field_lines, &baseline.body);
        }
        if let Some(refused) = self.refused_at_the_gate() {
            return respond.send(refused.status, &refused.field_lines, &refused.content);
        }
        let id = self.ids.draw();
        match self.serve_one(id, request, peer, ticket) {
            Ok(Served::Now) => self.send(respond),
            Ok(Served::Later) => respond.later(),
            Err(failure) => self.send_problem(failure, id, respond),
        }
    }

    fn settle(&mut self, mut late: Box<Late>, ticket: Ticket, respond: Respond<'_>) -> Answered {
        let awaited = self.awaited.remove(&ticket);
        self.receive(&late, outcome(late.result));
        commit(&self.shared.log, late.id, &late.current, &mut late.answer, self.thread);
        // After its log lines, so that whoever takes the record finds them.
        if let (Some(accesses), Some(asked)) = (&self.shared.watch.accesses, awaited.and_then(|found| found.asked)) {
            let Late { lane, cpu_ns, restored_pages: pages, spent, .. } = *late;
            let status = late.result.map_or_else(Cause::status, |()| late.answer.reply.status);
            accesses.note(asked, late.id, &late.current, status, Cost { lane, cpu_ns, pages, reruns: spent.reruns });
        }
        let reply = &mut late.answer.reply;
        if let Err(cause) = late.result {
            Problem::new(cause, late.id).write_to(reply);
        }
        self.shared.name_release(&late.current, reply);
        respond.send(reply.status, &reply.field_lines, &reply.body)
    }

    fn abandon(&mut self, late: Box<Late>) {
        self.receive(&late, Outcome::Left);
    }

    fn begin_turn(&mut self) {
        self.lanes.begin_turn(Instant::now());
    }

    fn turn_is_over(&self) -> bool {
        self.lanes.turn_is_over()
    }

    fn end_turn(&mut self) {
        self.lanes.end_turn(&self.counters);
    }

    fn left(&mut self, ticket: Ticket) {
        if let Some(Awaited { left, .. }) = self.awaited.remove(&ticket) {
            left.store(true, Ordering::Relaxed);
        }
    }

    fn rejected(&mut self, rule: Rule, _: &Peer) -> Refusal {
        self.counters.rejected.of(rule).add(1);
        problem::rejection(rule, self.ids.draw())
    }

    fn panicked(&mut self, message: &str) -> Refusal {
        let id = self.ids.draw();
        self.counters.panics.add(1);
        self.shared.log.report(id, format!("panic: {message}"));
        self.answer.log.clear();
        self.refuse(Cause::Internal, id)
    }
}

/// The way to the other lanes.
struct Elsewhere<'s> {
    thread: usize,
    shared: &'s Shared,
    mailbox: &'s Mailbox<Box<Late>>,
    awaited: &'s mut AwaitedRequests,
}

impl Elsewhere<'_> {
    /// Has the request answered by another lane; if its tenant has too many there, by a late refusal.
    fn hand_over(
        &mut self,
        lane: Lane,
        id: RequestId,
        current: &Arc<Current>,
        request: &Request<'_>,
        ticket: Ticket,
        spent: Spent,
    ) {
        let current = current.clone();
        let left = Arc::new(AtomicBool::new(false));
        let asked = self.shared.watch.accesses.as_ref().map(|_| Asked::of(request));
        self.awaited.insert(ticket, Awaited { left: left.clone(), asked });
        let Some(admission) = current.tenant.admit(request.body.len() as u64, &current.limits) else {
            let letter = Late::refused(current, id, lane, spent);
            return self.mailbox.send_after(REFUSAL_DELAY, ticket, Box::new(letter));
        };
        let client = Client { ticket, mailbox: self.mailbox.clone(), left };
        let request = KeptRequest::of(request);
        let job = Job { current, request, id, arrived: Instant::now(), client, admission, spent };
        self.shared.overflow.submit(lane, self.thread, job);
    }
}

fn outcome(result: Result<(), Cause>) -> Outcome {
    match result {
        Ok(()) => Outcome::Ok,
        Err(cause) => Outcome::Failed(cause),
    }
}

/// Commits the log of the run that answers.
fn commit(log: &Log, request_id: RequestId, current: &Current, answer: &mut Answer, thread: usize) {
    if answer.log.cut > 0 {
        current.tenant.counters(thread).log_cut.add(answer.log.cut.into());
    }
    log.commit(
        &Origin { tenant: &current.tenant.name, release: current.release.digest(), request_id },
        &mut answer.log,
    );
}
