//! Classes of octets, as tables: one load an octet.

const TOKEN: u8 = 1;
const TARGET: u8 = 2;
const HOST: u8 = 4;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut octet = 0u8;
    while octet < 128 {
        let alphanumeric = octet.is_ascii_alphanumeric();
        if alphanumeric || contains(b"!#$%&'*+-.^_`|~", octet) {
            table[octet as usize] |= TOKEN;
        }
        if octet.is_ascii_graphic() && !contains(b"#\"<>", octet) {
            table[octet as usize] |= TARGET;
        }
        if alphanumeric || contains(b"-._~!$&'()*+;=", octet) {
            table[octet as usize] |= HOST;
        }
        octet += 1;
    }
    table
}

const fn contains(set: &[u8], octet: u8) -> bool {
    let mut at = 0;
    while at < set.len() {
        if set[at] == octet {
            return true;
        }
        at += 1;
    }
    false
}

/// `tchar` (RFC 9110 section 5.6.2).
pub(crate) fn is_token(octet: u8) -> bool {
    CLASSES[octet as usize] & TOKEN != 0
}

/// Octets of a request target: those of RFC 3986 section 2, and those that browsers send as they are.
pub(crate) fn is_target(octet: u8) -> bool {
    CLASSES[octet as usize] & TARGET != 0
}

/// Octets of a registered name (RFC 3986 section 3.2.2) but `%`, and but `,`, which is what a merged list of Host fields
/// would show.
pub(crate) fn is_host(octet: u8) -> bool {
    CLASSES[octet as usize] & HOST != 0
}
