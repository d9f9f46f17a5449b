//! Keys as names of files that every server takes as they are.
//!
//! Servers differ in what they make of percent signs, question marks, blanks and letters beyond ASCII. So all of these are
//! written as `=` and two hexadecimal digits for each byte; the server's own keys have none of them.

use std::fmt::Write as _;

/// The name of a file for a key.
pub(crate) fn encode(key: &str) -> String {
    let mut name = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                name.push(byte.into());
            }
            byte => write!(name, "={byte:02x}").expect("a string takes everything"),
        }
    }
    name
}

/// The key of a name, unless it is none of ours.
pub(crate) fn decode(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'=' {
            bytes.push(byte);
            continue;
        }
        let digit =
            |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
        bytes.push(high << 4 | low);
    }
    let key = String::from_utf8(bytes).ok()?;
    (encode(&key) == name).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_comes_back_from_its_name_and_plain_ones_are_their_names() {
        for key in ["a", "with space", "%2e%2e", "a=3db", "q?x=1&y#z", "日本語/🔑", "~", "="] {
            let name = encode(key);
            assert_eq!(decode(&name).as_deref(), Some(key), "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_graphic() && !b"%?#&".contains(&byte)));
        }
        assert_eq!(encode("blobs/ab/0192-f_x.y"), "blobs/ab/0192-f_x.y");
        for foreign in ["a b", "=2F", "=", "=zz", "=61", "ü"] {
            assert_eq!(decode(foreign), None, "{foreign}");
        }
    }
}
