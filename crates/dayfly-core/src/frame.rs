//! Writing a request into the host page, in the form of the guest ABI: the parts that the program takes and no others.

use crate::error::Stop;
use crate::message::{Field, Request};
use dayfly_http1::{AUTHORITY_BYTES_MAX, FIELD_BYTES_MAX, FIELDS_MAX, TARGET_BYTES_MAX};
use dayfly_wasm::Layout;
use dayfly_wasm::abi::{BODY_INLINE_BYTES_MAX, FIELD_BYTES, FRAME_BYTES_MAX, frame, takes};

/// Octets of the longest method, scheme and address of a client together.
const WORDS_BYTES_MAX: usize = 32 + 5 + 45;
/// Fields that the host adds: `Host` where the target named another, and the content's length.
const ADDED_BYTES_MAX: usize = 2 * FIELD_BYTES + 4 + AUTHORITY_BYTES_MAX + 14 + 20;

/// No head that HTTP lets through is too long. One octet: the path `/` of a request for the mount itself.
const _: () = assert!(
    frame::BYTES
        + FIELDS_MAX * FIELD_BYTES
        + FIELD_BYTES_MAX
        + ADDED_BYTES_MAX
        + TARGET_BYTES_MAX
        + 1
        + AUTHORITY_BYTES_MAX
        + WORDS_BYTES_MAX
        <= FRAME_BYTES_MAX as usize
);

/// Writes the frame and gives its address; 0 if the program takes nothing. What is not written is zero, as the image is.
///
/// # Errors
/// `Internal` if the head is longer than the HTTP layer should have let through.
pub(crate) fn write(memory: &mut [u8], layout: &Layout, taken: u32, request: &Request<'_>) -> Result<u32, Stop> {
    if taken == 0 {
        return Ok(0);
    }
    let start = layout.frame_offset as usize;
    let octets = &mut memory[start..start + layout.frame_bytes_max as usize];
    let mut frame = Frame { octets, start: start as u32, end: frame::BYTES };
    frame
        .write(taken, request)
        .ok_or_else(|| Stop::Internal("the request's head does not fit into its frame".into()))?;
    Ok(start as u32)
}

/// Whether the whole content will be inline, so that nothing of it need be kept for `body_read`.
pub(crate) fn holds_body(layout: &Layout, taken: u32, request: &Request<'_>) -> bool {
    let body_bytes = request.body.len();
    if body_bytes == 0 {
        return true;
    }
    let head_bytes = head_bytes(taken, request);
    body_bytes <= BODY_INLINE_BYTES_MAX && head_bytes + body_bytes <= layout.frame_bytes_max as usize
}

/// Octets of a frame before the content.
fn head_bytes(taken: u32, request: &Request<'_>) -> usize {
    let texts: usize = texts(request).iter().filter(|(bit, ..)| taken & bit != 0).map(|(.., text)| text.len()).sum();
    let field = |field: &Field<'_>| FIELD_BYTES + field.name.len() + field.value.len();
    let fields: usize = if taken & takes::HEADERS == 0 { 0 } else { request.fields.iter().map(field).sum() };
    frame::BYTES + fields + texts
}

/// What is text: its bit, its place in the frame, itself.
fn texts<'r>(request: &Request<'r>) -> [(u32, usize, &'r str); 7] {
    [
        (takes::METHOD, frame::METHOD, request.method),
        (takes::PATH, frame::PATH, request.path),
        (takes::QUERY, frame::QUERY, request.query),
        (takes::CLIENT, frame::CLIENT, request.client),
        (takes::SCHEME, frame::SCHEME, request.scheme),
        (takes::HOST, frame::HOST, request.host),
        (takes::MOUNT, frame::MOUNT, request.mount),
    ]
}

struct Frame<'m> {
    octets: &'m mut [u8],
    /// Address of the first octet.
    start: u32,
    /// Where the next octet goes.
    end: usize,
}

impl Frame<'_> {
    fn write(&mut self, taken: u32, request: &Request<'_>) -> Option<()> {
        if taken & takes::HEADERS != 0 {
            self.put_fields(request)?;
        }
        for (bit, pair, text) in texts(request) {
            if taken & bit != 0 {
                self.put(pair, text.as_bytes())?;
            }
        }
        if taken & takes::BODY != 0 {
            let room = self.octets.len() - self.end;
            let inline = request.body.len().min(BODY_INLINE_BYTES_MAX).min(room);
            self.put(frame::BODY, &request.body[..inline])?;
            self.put_number(frame::BODY_BYTES_TOTAL, u32::try_from(request.body.len()).ok()?);
        }
        Some(())
    }

    /// The entries come first, so that they are aligned.
    fn put_fields(&mut self, request: &Request<'_>) -> Option<()> {
        let entries = self.end;
        self.put_pair(frame::HEADERS, entries, request.fields.len());
        self.end += request.fields.len() * FIELD_BYTES;
        for (index, field) in request.fields.iter().enumerate() {
            let entry = entries + index * FIELD_BYTES;
            self.put(entry, field.name.as_bytes())?;
            self.put(entry + 8, field.value)?;
        }
        Some(())
    }

    /// Appends `content` and writes where it is to the pair at `pair`.
    fn put(&mut self, pair: usize, content: &[u8]) -> Option<()> {
        self.octets.get_mut(self.end..self.end + content.len())?.copy_from_slice(content);
        self.put_pair(pair, self.end, content.len());
        self.end += content.len();
        Some(())
    }

    fn put_pair(&mut self, pair: usize, offset: usize, count: usize) {
        self.put_number(pair, self.start + offset as u32);
        self.put_number(pair + 4, count as u32);
    }

    fn put_number(&mut self, at: usize, number: u32) {
        self.octets[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout {
        memory_bytes: 131_072,
        host_page_offset: 65_536,
        frame_offset: 73_728,
        frame_bytes_max: 57_344,
        size_cell_offset: 65_536,
        cells: 1,
    };

    fn request<'a>(fields: &'a [Field<'a>], body: &'a [u8]) -> Request<'a> {
        Request {
            method: "POST",
            path: "/a%20b",
            query: "x=1",
            fields,
            body,
            client: "::1",
            scheme: "http",
            host: "a.localhost",
            mount: "/z",
        }
    }

    fn written(taken: u32, request: &Request<'_>) -> (Vec<u8>, u32) {
        let mut memory = vec![0; LAYOUT.memory_bytes as usize];
        let frame = write(&mut memory, &LAYOUT, taken, request).expect("it fits");
        (memory, frame)
    }

    fn number(memory: &[u8], at: usize) -> usize {
        u32::from_le_bytes(memory[at..at + 4].try_into().expect("four octets")) as usize
    }

    fn text(memory: &[u8], pair: usize) -> String {
        let (at, length) = (number(memory, pair), number(memory, pair + 4));
        String::from_utf8_lossy(&memory[at..at + length]).into_owned()
    }

    #[test]
    fn a_program_that_takes_nothing_pays_nothing() {
        let (memory, frame) = written(0, &request(&[], b"body"));
        assert_eq!(frame, 0);
        assert!(memory.iter().all(|octet| *octet == 0));
    }

    #[test]
    fn everything_taken_is_there() {
        let fields = [Field { name: "accept", value: b"*/*" }, Field { name: "x", value: b"" }];
        let (memory, frame) = written(takes::ALL, &request(&fields, b"body"));
        let frame = frame as usize;
        let expected =
            [(0, "POST"), (8, "/a%20b"), (16, "x=1"), (48, "::1"), (56, "http"), (64, "a.localhost"), (72, "/z")];
        for (pair, expected) in expected {
            assert_eq!(text(&memory, frame + pair), expected);
        }
        assert_eq!(text(&memory, frame + 32), "body");
        assert_eq!((number(&memory, frame + 40), number(&memory, frame + 44)), (4, 0));
        let entries = number(&memory, frame + 24);
        assert_eq!(number(&memory, frame + 28), 2);
        assert_eq!((text(&memory, entries), text(&memory, entries + 8)), ("accept".into(), "*/*".into()));
        assert_eq!((text(&memory, entries + 16), text(&memory, entries + 24)), ("x".into(), String::new()));
    }

    #[test]
    fn only_what_is_taken_is_written() {
        let (memory, frame) = written(takes::QUERY, &request(&[], b"body"));
        let frame = frame as usize;
        assert_eq!(text(&memory, frame + 16), "x=1");
        let written = memory.iter().filter(|octet| **octet != 0).count();
        assert!(written <= 3 + 8, "{written} octets written");
    }

    #[test]
    fn a_long_body_is_cut_and_its_length_told() {
        let body = vec![7; 100_000];
        let (memory, frame) = written(takes::BODY, &request(&[], &body));
        let frame = frame as usize;
        assert_eq!((number(&memory, frame + 36), number(&memory, frame + 40)), (BODY_INLINE_BYTES_MAX, 100_000));
    }

    #[test]
    fn a_long_head_leaves_less_room_for_the_body_and_too_long_a_head_is_an_error() {
        let value = vec![b'v'; 50_000];
        let fields = [Field { name: "long", value: &value }];
        let (memory, frame) = written(takes::HEADERS | takes::BODY, &request(&fields, &[7; 9000]));
        let inline = number(&memory, frame as usize + 36);
        assert_eq!(inline, 57_344 - 80 - 16 - 4 - 50_000);
        // What is said before writing is what is written, to the octet.
        let taken = takes::HEADERS | takes::BODY;
        for body_bytes in [0, 1, inline - 1, inline, inline + 1, BODY_INLINE_BYTES_MAX, BODY_INLINE_BYTES_MAX + 1] {
            let body = vec![7; body_bytes];
            for taken in [taken, takes::ALL, takes::BODY] {
                let request = request(&fields, &body);
                let (memory, frame) = written(taken, &request);
                let is_whole = number(&memory, frame as usize + 36) == body_bytes;
                assert_eq!(holds_body(&LAYOUT, taken, &request), is_whole, "{body_bytes} {taken}");
            }
        }
        let mut memory = vec![0; LAYOUT.memory_bytes as usize];
        let fields = [Field { name: "long", value: &value }; 2];
        let failed = write(&mut memory, &LAYOUT, takes::HEADERS, &request(&fields, b""));
        assert!(matches!(failed, Err(Stop::Internal(_))));
    }
}
