//! A request kept for another lane: what was borrowed from the connection's buffers, owned.

use crate::message::{Field, Request};

/// An owned request.
#[derive(Debug)]
pub struct KeptRequest {
    method: String,
    path: String,
    query: String,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    client: String,
    scheme: String,
    host: String,
    mount: String,
}

impl KeptRequest {
    /// Copies the request.
    pub fn of(request: &Request<'_>) -> KeptRequest {
        KeptRequest {
            method: request.method.to_owned(),
            path: request.path.to_owned(),
            query: request.query.to_owned(),
            fields: request.fields.iter().map(|field| (field.name.to_owned(), field.value.to_owned())).collect(),
            body: request.body.to_owned(),
            client: request.client.to_owned(),
            scheme: request.scheme.to_owned(),
            host: request.host.to_owned(),
            mount: request.mount.to_owned(),
        }
    }

    /// Octets of content held.
    pub fn body_bytes(&self) -> u64 {
        self.body.len() as u64
    }

    /// Gives the request to `use_it` as it came.
    pub fn with<T>(&self, use_it: impl FnOnce(&Request<'_>) -> T) -> T {
        let fields: Vec<Field<'_>> = self.fields.iter().map(|(name, value)| Field { name, value }).collect();
        use_it(&Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            fields: &fields,
            body: &self.body,
            client: &self.client,
            scheme: &self.scheme,
            host: &self.host,
            mount: &self.mount,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_request_is_the_request() {
        let request = Request {
            method: "POST",
            path: "/a",
            query: "b=c",
            fields: &[Field { name: "X-Y", value: b"\xff z" }],
            body: b"\0body",
            client: "127.0.0.1",
            scheme: "http",
            host: "h",
            mount: "/m",
        };
        let kept = KeptRequest::of(&request);
        assert_eq!(kept.body_bytes(), 5);
        kept.with(|again| assert_eq!(format!("{again:?}"), format!("{request:?}")));
    }
}
