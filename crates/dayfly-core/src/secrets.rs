//! Values that a tenant's program may ask for while it answers a request, and that stand in no release.

use serde::Deserialize;
use std::collections::HashMap;
use std::fmt;

/// A tenant's secrets by their names.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secrets(HashMap<String, String>);

impl Secrets {
    /// The value of one. A guest chooses the name, and it may be any octets.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let name = std::str::from_utf8(name).ok()?;
        self.0.get(name).map(String::as_bytes)
    }
}

/// Names only, so that no log ever shows a value.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_ever_shown() {
        let secrets: Secrets = serde_json::from_str(r#"{"KEY": "canary"}"#).expect("a map");
        assert_eq!(secrets.get(b"KEY"), Some(b"canary".as_slice()));
        assert_eq!((secrets.get(b"OTHER"), secrets.get(b"\xff")), (None, None));
        assert_eq!(format!("{secrets:?}"), r#"{"KEY"}"#);
    }
}
