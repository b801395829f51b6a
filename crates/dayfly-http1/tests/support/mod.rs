//! A client and a driver without a socket, and a handler that tells what it was asked.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test uses a part of it")]

use dayfly_http1::{
    Answered, Clock, Connection, Context, Deadlines, Expiry, Handler, Head, Peer, Refusal, Request, Respond, Rule,
    Ticket,
};

pub const CONTENT_BYTES_MAX: u64 = 1 << 20;

/// Answers with what it was asked, except at a few paths that show something else.
#[derive(Default)]
pub struct Echo {
    pub rules: Vec<Rule>,
    pub waiting: Vec<Ticket>,
    pub left: Vec<Ticket>,
    pub abandoned: Vec<String>,
    pub panics: Vec<String>,
    pub calls: u32,
    pub turn_is_over: bool,
}

impl Handler for Echo {
    type Late = String;

    fn admit(&mut self, head: &Head<'_>, _: &Peer) -> Result<u64, Refusal> {
        match head.path {
            "/closed" => Err(Refusal { status: 403, field_lines: b"X: y\r\n".to_vec(), content: b"closed".to_vec() }),
            "/small" => Ok(8),
            "/panic/admit" => panic!("admit"),
            _ => Ok(CONTENT_BYTES_MAX),
        }
    }

    fn call(&mut self, request: &Request<'_>, _: &Peer, ticket: Ticket, respond: Respond<'_>) -> Answered {
        self.calls += 1;
        match request.head.path {
            "/later" => {
                self.waiting.push(ticket);
                respond.later()
            }
            "/large" => respond.send(200, b"", &vec![b'x'; 100_000]),
            "/none" => respond.send(204, b"", b"never sent"),
            "/reset" => respond.send(205, b"", b"never sent"),
            "/same" => respond.send(304, b"", b"never sent"),
            "/last" => respond.closing().send(200, b"", b"last"),
            "/panic/call" => panic!("call"),
            "/status" => respond.send(99, b"", b""),
            "/lines" => respond.send(200, b"X: y", b""),
            _ => respond.send(200, b"Content-Type: text/plain\r\n", &describe(request)),
        }
    }

    fn settle(&mut self, late: String, ticket: Ticket, respond: Respond<'_>) -> Answered {
        match late.as_str() {
            "again" => {
                self.waiting.push(ticket);
                respond.later()
            }
            "panic" => panic!("settle"),
            _ => respond.send(200, b"", late.as_bytes()),
        }
    }

    fn abandon(&mut self, late: String) {
        self.abandoned.push(late);
    }

    fn turn_is_over(&self) -> bool {
        self.turn_is_over
    }

    fn left(&mut self, ticket: Ticket) {
        self.left.push(ticket);
    }

    fn rejected(&mut self, rule: Rule, _: &Peer) -> Refusal {
        self.rules.push(rule);
        Refusal::of(rule)
    }

    fn panicked(&mut self, message: &str) -> Refusal {
        self.panics.push(message.to_owned());
        assert!(message != "call" || self.panics.len() < 2, "the second panic is answered with a panic");
        Refusal::internal()
    }
}

fn describe(request: &Request<'_>) -> Vec<u8> {
    let Request { head, content } = request;
    let query = if head.query.is_empty() { String::new() } else { format!("?{}", head.query) };
    let mut text = format!("{} {}{query} {}", head.method.name(), head.path, head.authority).into_bytes();
    if !content.is_empty() {
        text.push(b' ');
        text.extend_from_slice(content);
    }
    text
}

/// One connection, its handler, and all that came out.
pub struct Dialog {
    pub connection: Connection,
    pub handler: Echo,
    pub seconds: u32,
    pub turns: u32,
    pub draining: bool,
    pub out: Vec<u8>,
}

impl Dialog {
    pub fn new() -> Dialog {
        Dialog {
            connection: Connection::new(&clock(0), &Deadlines::default()),
            handler: Echo::default(),
            seconds: 0,
            turns: 0,
            draining: false,
            out: Vec::new(),
        }
    }

    /// One step of the connection, and what a driver does after it with a socket that takes everything.
    fn step<T>(&mut self, step: impl FnOnce(&mut Connection, &mut Vec<u8>, &mut Context<'_, Echo>) -> T) -> T {
        let clock = clock(self.seconds);
        let mut context = Context {
            handler: &mut self.handler,
            peer: &Peer::Unix,
            ticket: Ticket { connection: 7, generation: 3, request: 0 },
            clock: &clock,
            deadlines: &Deadlines::default(),
            draining: self.draining,
        };
        let mut out = Vec::new();
        let result = step(&mut self.connection, &mut out, &mut context);
        self.out.append(&mut out);
        self.turns += 1;
        while self.connection.wants_turn() {
            self.turns += 1;
            self.connection.resume(&mut out, &mut context);
            self.out.append(&mut out);
        }
        self.connection.set_deadline(&clock, &Deadlines::default());
        result
    }

    pub fn feed(&mut self, octets: &[u8]) {
        self.step(|connection, out, context| connection.receive(octets, out, context));
    }

    pub fn end(&mut self) {
        self.step(Connection::end);
    }

    pub fn settle(&mut self, late: &str, ticket: Ticket) {
        self.step(|connection, out, context| connection.settle(late.to_owned(), ticket, out, context));
    }

    /// As `settle`, for a socket that takes nothing.
    pub fn settle_unread(&mut self, late: &str, ticket: Ticket) {
        self.step(|connection, out, context| {
            connection.settle(late.to_owned(), ticket, out, context);
            connection.keep_output(out, 0);
        });
    }

    /// The socket takes all that was kept.
    pub fn take_unsent(&mut self) {
        self.step(|connection, _, _| connection.advance(connection.unsent().len()));
    }

    pub fn shed(&mut self) -> Expiry {
        self.step(Connection::shed)
    }

    pub fn expire(&mut self) -> Expiry {
        assert!(self.seconds >= self.connection.deadline(), "the deadline has not passed");
        self.step(Connection::expire)
    }

    /// All answers as `status content`, with `|` between them and `!` at the end if the connection is to be closed.
    pub fn answers(&self) -> String {
        let end = if self.connection.is_finished() { "!" } else { "" };
        render(&self.out) + end
    }
}

/// A second that tells itself in `Date`.
pub fn clock(seconds: u32) -> Clock {
    Clock::new(seconds, 784_111_777 + u64::from(seconds))
}

/// The answer to everything that was fed whole.
pub fn whole(octets: &[u8]) -> Dialog {
    let mut dialog = Dialog::new();
    dialog.feed(octets);
    dialog
}

/// The answer to everything that was fed in these parts.
pub fn parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Dialog {
    let mut dialog = Dialog::new();
    for part in parts {
        dialog.feed(part);
    }
    dialog
}

/// What stands in a table: `~` is CRLF, `{H}` a valid Host line.
pub fn expand(text: &str) -> Vec<u8> {
    text.replace("{H}", "Host: a~").replace('~', "\r\n").into_bytes()
}

/// Reads answers back; panics if one is not whole, so every comparison also checks framing.
pub fn render(mut out: &[u8]) -> String {
    let mut all = Vec::new();
    while !out.is_empty() {
        let end = out.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head") + 4;
        let head = std::str::from_utf8(&out[..end]).expect("our heads are ASCII");
        let status = head.strip_prefix("HTTP/1.1 ").expect("a status line").get(..3).expect("a status");
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length: usize = length.map_or(0, |length| length.parse().expect("a number"));
        // The answer to a HEAD has a length and no content: another answer or nothing follows.
        let length = if out[end..].is_empty() || out[end..].starts_with(b"HTTP/1.1 ") { 0 } else { length };
        let content = String::from_utf8_lossy(&out[end..end + length]);
        let content = if head.contains("problem+json") { rule_name(&content) } else { content.into_owned() };
        all.push(format!("{status} {content}").trim_end().to_owned());
        out = &out[end + length..];
    }
    all.join("|")
}

/// The name of the rule in a problem, or nothing.
fn rule_name(problem: &str) -> String {
    let (_, rule) = problem.split_once(r#""rule":""#).unwrap_or_default();
    rule.trim_end_matches("\"}").to_owned()
}

/// Small and good enough random numbers (xorshift64*); the same seed gives the same ones.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn of<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}

/// The seed of a test: printed, and taken from `DAYFLY_SEED` if that is set.
pub fn seed() -> u64 {
    let given = std::env::var("DAYFLY_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(1, |time| time.subsec_nanos().into())
    });
    println!("DAYFLY_SEED={seed}");
    seed
}
