//! One connection: received octets in, answers out, deadlines.
//!
//! ```text
//!            +--------------------- answered, persistent ----------------------+
//!            v                                                                 |
//!          Head --whole head--> Content --whole content--> handler --now-------+
//!            |                     |                          |                |
//!            |                     |                          +--later--> Waiting --settled
//!            +--- rule broken -----+---- refused ----+-- not persistent --+
//!                                                    v
//!                                                 Closing: input is dropped until the peer closes too
//! ```
//!
//! *Invariant*: what is kept is the unfinished request and the unsent answers, nothing else. While answers are unsent or
//! awaited nothing is read, so the peer's window fills up and memory stays bounded. A connection between requests has no
//! buffer at all.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::chunked::Chunked;
use crate::handler::{Answered, Handler, Outcome, Peer, Refusal, Request, Ticket};
use crate::lines::{Bounds, Found, Line, Section};
use crate::octets::is_token;
use crate::request::{FIELD_BYTES_MAX, FIELDS_MAX, Framing, Head, METHOD_BYTES_MAX, Method, TARGET_BYTES_MAX};
use crate::response::{self, Recipient, Respond};
use crate::{Clock, Field, Rule};

/// Answers gathered before they must be sent.
const OUTPUT_BYTES: usize = 64 << 10;
/// Requests of one connection handled before the driver turns to others; fewer if the handler says that its turn is over.
const REQUESTS_A_TURN: u32 = 16;
/// Fewer octets than this are no progress, or one octet a minute would hold a connection forever.
const PROGRESS_BYTES: usize = 16 << 10;
/// Nor is less than this part of what is held: 8 MiB must be taken within 8 minutes.
const PROGRESS_PART: usize = 32;
/// Fields that are parsed without allocating; browsers send 10 to 15.
const FIELDS_FEW: usize = 16;
/// A longest request line: method, target, version, two spaces, CRLF.
const LINE_BYTES_MAX: usize = METHOD_BYTES_MAX + TARGET_BYTES_MAX + "HTTP/1.1".len() + 4;
const FIELDS: Bounds = Bounds {
    bytes_max: FIELD_BYTES_MAX,
    lines_max: FIELDS_MAX,
    too_long: Rule::FieldsTooLong,
    too_many: Rule::FieldsTooMany,
};
/// Kept input is moved to the front of its buffer only when so much of it is used up, so that moving stays linear.
const COMPACT_BYTES: usize = 4 << 10;

/// How long a peer may take, in seconds. A deadline fires at most this late and at most a second early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// From the first octet of a head to its last; progress does not extend it. Then 408.
    pub head_seconds: u32,
    /// For each 16 KiB of content, or the rest of it. Then 408.
    pub content_seconds: u32,
    /// For each 16 KiB of an answer, or the rest of it. Then the connection is cut.
    pub write_seconds: u32,
    /// Between requests; before the first it is `head_seconds`. Then the connection is closed.
    pub idle_seconds: u32,
    /// From our end of the connection to the peer's. Then the connection is cut.
    pub linger_seconds: u32,
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        Deadlines { head_seconds: 10, content_seconds: 15, write_seconds: 15, idle_seconds: 60, linger_seconds: 2 }
    }
}

/// What a connection is given by its driver for one step.
#[derive(Debug)]
pub struct Context<'a, H> {
    /// The application.
    pub handler: &'a mut H,
    /// Who is at the other end.
    pub peer: &'a Peer,
    /// Connection and generation; the number of the request is filled in here.
    pub ticket: Ticket,
    /// The present second.
    pub clock: &'a Clock,
    /// How long the peer may take.
    pub deadlines: &'a Deadlines,
    /// The server is stopping: every answer is the last of its connection.
    pub draining: bool,
}

/// What follows when a connection cannot go on as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// An answer was put into the output buffer; the connection goes on to its orderly end.
    Answered,
    /// The driver closes the connection at once.
    Close,
}

#[derive(Debug)]
enum State {
    /// Before or in a head, which stands in the kept input.
    Head(Search),
    /// The head is whole and admitted, the content is not whole.
    Content(Box<Body>),
    /// For a late answer. Later requests stay unread, which keeps answers in order (RFC 9112 section 9.3.2).
    Waiting(Recipient),
    /// The last answer is given; input is dropped, so that the answer is not lost in a reset (RFC 9112 section 9.6).
    Closing,
}

/// How far the end of a head has been looked for.
#[derive(Debug, Default)]
struct Search {
    line: Line,
    /// Octets of the request line with its CRLF; 0 while it is open.
    line_bytes: usize,
    section: Section,
}

/// A request whose content is not whole.
#[derive(Debug)]
struct Body {
    head: Vec<u8>,
    line_bytes: usize,
    fields: usize,
    content: Vec<u8>,
    rest: Rest,
}

#[derive(Debug)]
enum Rest {
    Length { bytes_left: u64 },
    Chunked(Chunked),
}

/// A whole head and what follows it.
struct Received<'b> {
    head: &'b [u8],
    line_bytes: usize,
    fields: usize,
    rest: &'b [u8],
}

/// What the deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// None is set yet for what comes now.
    Unset,
    Idle,
    Head,
    Content,
    Answer,
    Write,
    Linger,
}

/// One connection of one client.
#[derive(Debug)]
pub struct Connection {
    state: State,
    phase: Phase,
    /// An empty line was skipped before the request to come.
    blank: bool,
    /// There is kept input that waits only for its turn.
    held: bool,
    /// The peer has ended its side.
    ended: bool,
    /// Requests handed to the handler.
    requests: u32,
    /// Octets received or sent since the deadline was set.
    moved_bytes: u32,
    /// The second in which the deadline was set.
    since: u32,
    deadline: u32,
    input: Vec<u8>,
    /// `input[..consumed]` is used up.
    consumed: usize,
    output: Vec<u8>,
    /// `output[..sent]` has been sent.
    sent: usize,
}

impl Connection {
    /// A connection that nothing was received on; its client has `head_seconds` to begin.
    pub fn new(clock: &Clock, deadlines: &Deadlines) -> Connection {
        let mut connection = Connection {
            state: State::Head(Search::default()),
            phase: Phase::Unset,
            blank: false,
            held: false,
            ended: false,
            requests: 0,
            moved_bytes: 0,
            since: 0,
            deadline: 0,
            input: Vec::new(),
            consumed: 0,
            output: Vec::new(),
            sent: 0,
        };
        connection.set_deadline(clock, deadlines);
        connection
    }

    /// May the driver read? Not while answers are unsent or awaited, nor while kept input waits for its turn.
    pub fn wants_input(&self) -> bool {
        self.output.is_empty() && !self.ended && !self.held && !matches!(self.state, State::Waiting(_))
    }

    /// Kept input waits only for [`Connection::resume`].
    pub fn wants_turn(&self) -> bool {
        self.held && self.output.is_empty()
    }

    /// Between requests, with nothing received of the next one and nothing left to send.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Head(_)) && self.input.is_empty() && self.output.is_empty()
    }

    /// A late answer is awaited: the request's number on this connection.
    pub fn awaits(&self) -> Option<u32> {
        matches!(self.state, State::Waiting(_)).then_some(self.requests)
    }

    /// No request has come yet.
    pub fn is_fresh(&self) -> bool {
        self.requests == 0
    }

    /// Everything is answered and sent: the driver ends its side, and closes when the peer has ended too or the deadline
    /// passes.
    pub fn is_finished(&self) -> bool {
        matches!(self.state, State::Closing) && self.output.is_empty()
    }

    /// The peer will send no more.
    pub fn peer_has_ended(&self) -> bool {
        self.ended
    }

    /// The second of the clock at which [`Connection::expire`] is due; `u32::MAX` for never.
    pub fn deadline(&self) -> u32 {
        self.deadline
    }

    /// The second of the clock in which it last made progress or began to wait for something else.
    pub fn still_since(&self) -> u32 {
        self.since
    }

    /// Octets of buffers held for this connection: unfinished requests and unsent answers.
    pub fn held_bytes(&self) -> usize {
        let body =
            if let State::Content(body) = &self.state { body.head.capacity() + body.content.capacity() } else { 0 };
        self.input.capacity() + self.output.capacity() + body
    }

    /// Takes received octets and appends answers to `out`.
    pub fn receive<H: Handler>(&mut self, octets: &[u8], out: &mut Vec<u8>, context: &mut Context<'_, H>) {
        self.moved_bytes = self.moved_bytes.saturating_add(octets.len() as u32);
        if self.input.is_empty() {
            let used = self.run(octets, out, context);
            self.input.extend_from_slice(&octets[used..]);
        } else {
            self.input.extend_from_slice(octets);
            self.resume(out, context);
        }
    }

    /// The peer has ended its side. What it sent before is still answered.
    pub fn end<H: Handler>(&mut self, out: &mut Vec<u8>, context: &mut Context<'_, H>) {
        self.ended = true;
        self.resume(out, context);
    }

    /// Goes on with kept input.
    pub fn resume<H: Handler>(&mut self, out: &mut Vec<u8>, context: &mut Context<'_, H>) {
        let input = std::mem::take(&mut self.input);
        self.consumed += self.run(&input[self.consumed..], out, context);
        self.keep_input(input);
    }

    /// A late answer for request number `ticket.request` of this connection.
    pub fn settle<H: Handler>(
        &mut self,
        late: H::Late,
        ticket: Ticket,
        out: &mut Vec<u8>,
        context: &mut Context<'_, H>,
    ) {
        match self.state {
            State::Waiting(recipient) if ticket.request == self.requests => {
                self.answer(recipient, out, context, |handler, _, respond| handler.settle(late, ticket, respond));
                self.resume(out, context);
            }
            _ => tell(context.handler, |handler| handler.abandon(late)),
        }
    }

    /// The driver cannot hold what this connection needs: an unfinished request is refused, an unsent answer is cut.
    pub fn shed<H: Handler>(&mut self, out: &mut Vec<u8>, context: &mut Context<'_, H>) -> Expiry {
        if !self.output.is_empty() || !matches!(self.state, State::Head(_) | State::Content(_)) {
            return Expiry::Close;
        }
        self.give_up(Rule::NoRoom, out, context);
        Expiry::Answered
    }

    /// The deadline has passed.
    pub fn expire<H: Handler>(&mut self, out: &mut Vec<u8>, context: &mut Context<'_, H>) -> Expiry {
        let rule = match self.phase {
            Phase::Head => Rule::HeadTimeout,
            Phase::Content => Rule::ContentTimeout,
            _ => return Expiry::Close,
        };
        self.give_up(rule, out, context);
        Expiry::Answered
    }

    /// What was put into the output buffer earlier and is not sent yet.
    pub fn unsent(&self) -> &[u8] {
        &self.output[self.sent..]
    }

    /// So many octets of [`Connection::unsent`] have been sent.
    pub fn advance(&mut self, bytes: usize) {
        self.moved_bytes = self.moved_bytes.saturating_add(bytes as u32);
        self.sent += bytes;
        if self.sent == self.output.len() {
            self.output = Vec::new();
            self.sent = 0;
        }
    }

    /// Keeps what is left of `out` after its first `sent` octets, which have been sent. A large rest is kept without a copy.
    pub fn keep_output(&mut self, out: &mut Vec<u8>, sent: usize) {
        if self.output.is_empty() && out.len() - sent > OUTPUT_BYTES {
            self.output = std::mem::take(out);
            self.sent = sent;
        } else {
            self.output.extend_from_slice(&out[sent..]);
            out.clear();
        }
        self.moved_bytes = self.moved_bytes.saturating_add(sent as u32);
    }

    /// Sets the deadline for what the connection now waits for. The driver calls it after each step.
    pub fn set_deadline(&mut self, clock: &Clock, deadlines: &Deadlines) {
        let (phase, seconds) = match &self.state {
            _ if !self.output.is_empty() => (Phase::Write, deadlines.write_seconds),
            // Who has sent nothing yet has shown no need of the connection.
            State::Head(_) if self.input.is_empty() && self.is_fresh() => (Phase::Idle, deadlines.head_seconds),
            State::Head(_) if self.input.is_empty() => (Phase::Idle, deadlines.idle_seconds),
            State::Head(_) => (Phase::Head, deadlines.head_seconds),
            State::Content(_) => (Phase::Content, deadlines.content_seconds),
            State::Waiting(_) => (Phase::Answer, u32::MAX),
            State::Closing => (Phase::Linger, deadlines.linger_seconds),
        };
        let progress = matches!(phase, Phase::Content | Phase::Write)
            && self.moved_bytes as usize >= PROGRESS_BYTES.max(self.held_bytes() / PROGRESS_PART);
        if phase != self.phase || progress {
            self.phase = phase;
            self.moved_bytes = 0;
            self.since = clock.seconds();
            self.deadline = clock.seconds().saturating_add(seconds);
        }
    }

    /// Handles what is there, request by request, and returns the octets used up.
    fn run<H: Handler>(&mut self, octets: &[u8], out: &mut Vec<u8>, context: &mut Context<'_, H>) -> usize {
        let first_request = self.requests;
        let mut used = 0;
        self.held = false;
        loop {
            let rest = &octets[used..];
            let requests = self.requests.wrapping_sub(first_request);
            let turn_is_over = requests >= REQUESTS_A_TURN || (requests > 0 && context.handler.turn_is_over());
            if turn_is_over || !self.output.is_empty() || out.len() >= OUTPUT_BYTES {
                self.held = self.ended || !rest.is_empty();
                return used;
            }
            let step = match &self.state {
                State::Head(_) => self.head(rest, out, context),
                State::Content(_) => self.content(rest, out, context),
                State::Waiting(_) => return used,
                State::Closing => return octets.len(),
            };
            match step {
                Ok(Some(bytes)) => used += bytes,
                Ok(None) if !self.ended => return used,
                Ok(None) if rest.is_empty() && matches!(self.state, State::Head(_)) => self.state = State::Closing,
                Ok(None) => self.reject(Rule::Incomplete, rest, out, context),
                Err(rule) => self.reject(rule, rest, out, context),
            }
        }
    }

    /// One head, and the whole request if it is there. None: more octets are needed.
    fn head<H: Handler>(
        &mut self,
        octets: &[u8],
        out: &mut Vec<u8>,
        context: &mut Context<'_, H>,
    ) -> Result<Option<usize>, Rule> {
        let State::Head(search) = &mut self.state else { return Ok(None) };
        let Some(head_bytes) = search.end(octets)? else { return Ok(None) };
        if search.line_bytes == 0 {
            // RFC 9112 section 2.2: at least one empty line before a request should be ignored.
            let second = std::mem::replace(&mut self.blank, true);
            self.state = State::Head(Search::default());
            return if second { Err(Rule::EmptyLines) } else { Ok(Some(head_bytes)) };
        }
        let (line_bytes, fields) = (search.line_bytes, search.section.lines);
        self.blank = false;
        let (head, rest) = octets.split_at(head_bytes);
        let received = Received { head, line_bytes, fields, rest };
        let content_bytes = with_slots(fields, |slots| {
            let head = Head::parse(received.head, line_bytes, slots)?;
            self.admit(&head, &received, out, context)
        })?;
        Ok(Some(head_bytes + content_bytes))
    }

    /// Decides what becomes of a request whose head is whole; returns the octets of content used up.
    fn admit<H: Handler>(
        &mut self,
        head: &Head<'_>,
        received: &Received<'_>,
        out: &mut Vec<u8>,
        context: &mut Context<'_, H>,
    ) -> Result<usize, Rule> {
        if head.framing == Framing::Length(0) {
            self.call(&Request { head: *head, content: b"" }, out, context);
            return Ok(0);
        }
        let content_bytes_max = match ask_handler(head, context) {
            Ok(bytes) => bytes,
            Err(refusal) => {
                self.refuse(&refusal, Recipient::of(head), out, context);
                return Ok(0);
            }
        };
        let body_rest = match head.framing {
            Framing::Length(bytes) if bytes > content_bytes_max => return Err(Rule::ContentTooLarge),
            Framing::Length(bytes) => {
                if let Some(content) = usize::try_from(bytes).ok().and_then(|bytes| received.rest.get(..bytes)) {
                    self.call(&Request { head: *head, content }, out, context);
                    return Ok(content.len());
                }
                Rest::Length { bytes_left: bytes }
            }
            Framing::Chunked => Rest::Chunked(Chunked::new(content_bytes_max)),
        };
        // RFC 9110 section 10.1.1: not needed once content has come.
        if head.expects_continue && received.rest.is_empty() {
            out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        self.state = State::Content(Box::new(Body {
            head: received.head.to_vec(),
            line_bytes: received.line_bytes,
            fields: received.fields,
            content: Vec::new(),
            rest: body_rest,
        }));
        Ok(0)
    }

    /// Takes content, and calls the handler when it is whole. None: more octets are needed.
    fn content<H: Handler>(
        &mut self,
        octets: &[u8],
        out: &mut Vec<u8>,
        context: &mut Context<'_, H>,
    ) -> Result<Option<usize>, Rule> {
        let State::Content(body) = &mut self.state else { return Ok(None) };
        let (used, whole) = body.take(octets)?;
        if !whole {
            return Ok((used > 0).then_some(used));
        }
        let State::Content(body) = std::mem::replace(&mut self.state, State::Closing) else { return Ok(None) };
        with_slots(body.fields, |slots| {
            let head = Head::parse(&body.head, body.line_bytes, slots)?;
            self.call(&Request { head, content: &body.content }, out, context);
            Ok(())
        })?;
        Ok(Some(used))
    }

    /// Hands a whole request to the handler.
    fn call<H: Handler>(&mut self, request: &Request<'_>, out: &mut Vec<u8>, context: &mut Context<'_, H>) {
        self.requests = self.requests.wrapping_add(1);
        let recipient = Recipient::of(&request.head);
        let ticket = Ticket { request: self.requests, ..context.ticket };
        self.answer(recipient, out, context, |handler, peer, respond| {
            if request.head.asks_server() {
                respond.send_options()
            } else {
                handler.call(request, peer, ticket, respond)
            }
        });
    }

    /// Lets `with` answer, and takes the consequence. A panic in it is answered with 500.
    fn answer<H: Handler>(
        &mut self,
        recipient: Recipient,
        out: &mut Vec<u8>,
        context: &mut Context<'_, H>,
        with: impl FnOnce(&mut H, &Peer, Respond<'_>) -> Answered,
    ) {
        let before = out.len();
        let now = Recipient { persistent: recipient.persistent && !context.draining, ..recipient };
        let respond = Respond { out, clock: context.clock, recipient: now };
        let answered = catch_unwind(AssertUnwindSafe(|| with(context.handler, context.peer, respond)));
        match answered {
            Ok(Answered(Outcome::Now { persistent })) => self.answered(persistent),
            Ok(Answered(Outcome::Later)) => self.state = State::Waiting(recipient),
            Err(panic) => {
                out.truncate(before);
                let refusal = refusal_after_panic(&*panic, context.handler);
                self.refuse(&refusal, recipient, out, context);
            }
        }
    }

    /// Writes an answer that ends the connection.
    fn refuse<H: Handler>(
        &mut self,
        refusal: &Refusal,
        recipient: Recipient,
        out: &mut Vec<u8>,
        context: &Context<'_, H>,
    ) {
        response::write_refusal(out, context.clock, recipient, refusal);
        self.answered(false);
    }

    /// Writes the one answer to a message that broke a rule. `octets` begin with what is left of the request.
    fn reject<H: Handler>(&mut self, rule: Rule, octets: &[u8], out: &mut Vec<u8>, context: &mut Context<'_, H>) {
        let head = if let State::Content(body) = &self.state { &body.head } else { octets };
        let recipient = Recipient { head_only: head.starts_with(b"HEAD "), minor: 1, persistent: false };
        let refusal = catch_unwind(AssertUnwindSafe(|| context.handler.rejected(rule, context.peer)))
            .unwrap_or_else(|panic| refusal_after_panic(&*panic, context.handler));
        self.refuse(&refusal, recipient, out, context);
    }

    /// Answers an unfinished request and drops what there is of it.
    fn give_up<H: Handler>(&mut self, rule: Rule, out: &mut Vec<u8>, context: &mut Context<'_, H>) {
        let input = std::mem::take(&mut self.input);
        self.reject(rule, &input[self.consumed..], out, context);
        self.consumed = 0;
        self.held = false;
    }

    fn answered(&mut self, persistent: bool) {
        self.state = if persistent { State::Head(Search::default()) } else { State::Closing };
        self.phase = Phase::Unset;
    }

    /// Puts kept input back, without what is used up.
    fn keep_input(&mut self, mut input: Vec<u8>) {
        if self.consumed == input.len() {
            input = Vec::new();
            self.consumed = 0;
        } else if self.consumed >= COMPACT_BYTES.max(input.len() / 2) {
            input.drain(..self.consumed);
            input.shrink_to_fit();
            self.consumed = 0;
        }
        self.input = input;
    }
}

impl Search {
    /// The octets of a head with its empty line, once it is whole, or of a lone empty line.
    fn end(&mut self, octets: &[u8]) -> Result<Option<usize>, Rule> {
        if self.line_bytes == 0 {
            check_first_octet(octets)?;
            match self.line.end(octets, LINE_BYTES_MAX)? {
                Found::Open => return Ok(None),
                Found::TooLong => return Err(too_long_line(octets)),
                Found::End(2) => return Ok(Some(2)),
                Found::End(bytes) => self.line_bytes = bytes,
            }
        }
        let section_bytes = self.section.end(&octets[self.line_bytes..], &FIELDS)?;
        Ok(section_bytes.map(|bytes| self.line_bytes + bytes))
    }
}

/// What cannot become a request is refused at once and not left to its deadline.
fn check_first_octet(octets: &[u8]) -> Result<(), Rule> {
    match octets.first() {
        Some(&octet) if !is_token(octet) && octet != b'\r' && octet != b'\n' => Err(Rule::NotHttp),
        _ => Ok(()),
    }
}

/// RFC 9112 section 3: a method that is too long is 501, a target 414.
fn too_long_line(octets: &[u8]) -> Rule {
    if octets[..=METHOD_BYTES_MAX].contains(&b' ') { Rule::TargetTooLong } else { Rule::MethodTooLong }
}

impl Body {
    /// Takes content; returns the octets used up, and whether the content is whole.
    fn take(&mut self, octets: &[u8]) -> Result<(usize, bool), Rule> {
        match &mut self.rest {
            Rest::Chunked(chunked) => chunked.decode(octets, &mut self.content),
            Rest::Length { bytes_left } => {
                let bytes = usize::try_from(*bytes_left).map_or(octets.len(), |left| left.min(octets.len()));
                self.content.extend_from_slice(&octets[..bytes]);
                *bytes_left -= bytes as u64;
                Ok((bytes, *bytes_left == 0))
            }
        }
    }
}

impl Recipient {
    fn of(head: &Head<'_>) -> Recipient {
        Recipient { head_only: head.method == Method::Head, minor: head.minor, persistent: head.persistent }
    }
}

/// How many octets of content the handler takes for this head. `OPTIONS *` is not its business and takes none.
fn ask_handler<H: Handler>(head: &Head<'_>, context: &mut Context<'_, H>) -> Result<u64, Refusal> {
    if head.asks_server() {
        return Ok(0);
    }
    catch_unwind(AssertUnwindSafe(|| context.handler.admit(head, context.peer)))
        .unwrap_or_else(|panic| Err(refusal_after_panic(&*panic, context.handler)))
}

/// Tells the handler of its panic and takes its answer; the plain one if it panics over that too.
fn refusal_after_panic<H: Handler>(panic: &(dyn Any + Send), handler: &mut H) -> Refusal {
    let message = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    catch_unwind(AssertUnwindSafe(|| handler.panicked(message.unwrap_or("panic without a text"))))
        .unwrap_or_else(|_| Refusal::internal())
}

/// Tells the handler something that needs no answer. A panic over it is reported and ends nothing.
pub fn tell<H: Handler>(handler: &mut H, what: impl FnOnce(&mut H)) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| what(handler))) {
        let _answer_for_nobody = refusal_after_panic(&*panic, handler);
    }
}

/// Runs `parse` with room for so many field lines.
fn with_slots<'b, T>(fields: usize, parse: impl FnOnce(&mut [Field<'b>]) -> T) -> T {
    if fields <= FIELDS_FEW {
        parse(&mut [httparse::EMPTY_HEADER; FIELDS_FEW])
    } else {
        parse(&mut vec![httparse::EMPTY_HEADER; fields])
    }
}
