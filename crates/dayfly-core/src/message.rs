//! One request and one reply, as the guest sees them: plain values, no sockets, no engine.

/// One header field as the HTTP layer hands it over, so that a request's fields need no copying.
pub use dayfly_http1::Field;

/// A request on its way into a sandbox. Everything in it has been validated by the HTTP layer.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Method, upper case.
    pub method: &'a str,
    /// Raw path after the mount prefix, percent-encoded as received; begins with `/`.
    pub path: &'a str,
    /// Raw query without `?`; empty if there was none.
    pub query: &'a str,
    /// Header fields in the order of arrival.
    pub fields: &'a [Field<'a>],
    /// Whole content.
    pub body: &'a [u8],
    /// Address of the client, as text; from a trusted proxy's word if there is one.
    pub client: &'a str,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Host as the client named it, without port.
    pub host: &'a str,
    /// Path prefix that routed the request to its tenant; empty if the host did.
    pub mount: &'a str,
}

impl Request<'static> {
    /// The plainest request that there is, from this machine: for trials and measurements.
    pub const PLAIN: Request<'static> = Request {
        method: "GET",
        path: "/",
        query: "",
        fields: &[],
        body: b"",
        client: "127.0.0.1",
        scheme: "http",
        host: "localhost",
        mount: "",
    };
}

/// A validated reply. The buffers are reused from request to request.
#[derive(Debug, Default)]
pub struct Reply {
    /// 200 to 599.
    pub status: u16,
    /// Complete field lines, `Name: value\r\n` each, content type included; never framing fields.
    pub field_lines: Vec<u8>,
    /// Content.
    pub body: Vec<u8>,
}

impl Reply {
    /// Empties the reply and keeps its buffers.
    pub fn clear(&mut self) {
        self.status = 0;
        self.field_lines.clear();
        self.body.clear();
    }
}

/// Log lines of one run, held back until the run that answers commits them.
#[derive(Debug, Default)]
pub struct LogLines {
    /// Level and text of each line, in order.
    pub lines: Vec<(u8, String)>,
    /// Octets held, against `Limits::log_bytes_max`.
    pub bytes: u32,
    /// Lines that were cut or dropped at the limits.
    pub cut: u32,
}

impl LogLines {
    /// Whether nothing was logged, nor cut.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.cut == 0
    }

    /// Empties the log and keeps its buffer.
    pub fn clear(&mut self) {
        self.lines.clear();
        self.bytes = 0;
        self.cut = 0;
    }
}

/// What a run leaves behind: the reply and the log, both reused.
#[derive(Debug, Default)]
pub struct Answer {
    /// The validated reply; meaningful only if the run ended well.
    pub reply: Reply,
    /// What the program logged, also when it failed.
    pub log: LogLines,
}
