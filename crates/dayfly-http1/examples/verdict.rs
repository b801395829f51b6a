//! What the machine makes of messages, for comparison with another parser.
//!
//! Reads messages from standard input, each after its length (four octets, little-endian), and prints a line for each: the
//! requests taken (method, path and query, content in hexadecimal digits), then the rule that the rest broke, or `-`, all
//! separated by tabs. Each message is fed twice, whole and octet by octet, and must be judged the same.

use std::io::{self, Read, Write};

use dayfly_http1::{
    Answered, Clock, Connection, Context, Deadlines, Handler, Head, Peer, Refusal, Request, Respond, Rule, Ticket,
};

/// Takes everything and writes it down.
#[derive(Default)]
struct Record {
    taken: String,
    broken: Option<Rule>,
}

impl Handler for Record {
    type Late = ();

    fn admit(&mut self, _: &Head<'_>, _: &Peer) -> Result<u64, Refusal> {
        Ok(1 << 20)
    }

    fn call(&mut self, request: &Request<'_>, _: &Peer, _: Ticket, respond: Respond<'_>) -> Answered {
        let Head { method, path, query, .. } = request.head;
        let mark = if query.is_empty() { "" } else { "?" };
        let content: Vec<String> = request.content.iter().map(|octet| format!("{octet:02x}")).collect();
        self.taken.extend([method.name(), " ", path, mark, query, " ", &content.concat(), "\t"]);
        respond.send(200, b"", b"")
    }

    fn settle(&mut self, (): (), _: Ticket, respond: Respond<'_>) -> Answered {
        respond.send(500, b"", b"")
    }

    fn abandon(&mut self, (): ()) {}

    fn rejected(&mut self, rule: Rule, _: &Peer) -> Refusal {
        self.broken = Some(rule);
        Refusal::of(rule)
    }
}

fn verdict(message: &[u8], part_bytes: usize) -> String {
    let (clock, deadlines) = (Clock::new(0, 0), Deadlines::default());
    let mut connection = Connection::new(&clock, &deadlines);
    let mut record = Record::default();
    let mut context = Context {
        handler: &mut record,
        peer: &Peer::Unix,
        ticket: Ticket { connection: 0, generation: 0, request: 0 },
        clock: &clock,
        deadlines: &deadlines,
        draining: false,
    };
    let mut out = Vec::new();
    for part in message.chunks(part_bytes) {
        connection.receive(part, &mut out, &mut context);
        while connection.wants_turn() {
            out.clear();
            connection.resume(&mut out, &mut context);
        }
    }
    record.taken + record.broken.map_or("-", Rule::name)
}

fn main() -> io::Result<()> {
    let mut input = Vec::new();
    io::stdin().lock().read_to_end(&mut input)?;
    let mut output = io::stdout().lock();
    let mut rest = input.as_slice();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (message, after) = after.split_at(u32::from_le_bytes(*length) as usize);
        let whole = verdict(message, message.len().max(1));
        assert_eq!(whole, verdict(message, 1), "{:?}", String::from_utf8_lossy(message));
        writeln!(output, "{whole}")?;
        rest = after;
    }
    Ok(())
}
