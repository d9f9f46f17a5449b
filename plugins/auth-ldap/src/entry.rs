//! An entry of the directory, as far as a sign-in needs it.

use ldap3::{ResultEntry, SearchEntry};

/// An entry. Attributes are found however their names are written.
pub(crate) struct Entry(SearchEntry);

impl Entry {
    /// Takes a result; `None` for what is none but leads to another server.
    pub(crate) fn new(result: ResultEntry) -> Option<Self> {
        (!result.is_ref() && !result.is_intermediate())
            .then(|| Self(SearchEntry::construct(result)))
    }

    pub(crate) fn dn(&self) -> &str {
        &self.0.dn
    }

    /// The first value of an attribute, as text. Bytes that are none are written in hexadecimal, and sixteen of them as
    /// Active Directory writes its identifiers.
    pub(crate) fn first(&self, attribute: &str) -> Option<String> {
        let is_it = |name: &str| name.eq_ignore_ascii_case(attribute);
        // an identifier may be text by chance, and must not change its form then
        if is_it(GUID) {
            return self.bytes(attribute).map(|bytes| guid(&bytes));
        }
        let text = self.0.attrs.iter().find(|(name, values)| is_it(name) && !values.is_empty());
        if let Some(value) = text.and_then(|(_, values)| values.first()) {
            return Some(value.clone()).filter(|value| !value.is_empty());
        }
        self.bytes(attribute).map(|bytes| data_encoding::HEXLOWER.encode(&bytes))
    }

    fn bytes(&self, attribute: &str) -> Option<Vec<u8>> {
        let is_it = |name: &str| name.eq_ignore_ascii_case(attribute);
        let raw = self.0.bin_attrs.iter().find(|(name, _)| is_it(name));
        let raw = raw.and_then(|(_, values)| values.first().cloned());
        raw.or_else(|| {
            let text = self.0.attrs.iter().find(|(name, _)| is_it(name));
            text.and_then(|(_, values)| values.first()).map(|value| value.clone().into_bytes())
        })
    }
}

/// The identifier of an entry in Active Directory: sixteen bytes.
pub(crate) const GUID: &str = "objectGUID";

/// The order in which its bytes are written: the first three parts are little-endian.
const GUID_ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

fn guid(bytes: &[u8]) -> String {
    let ordered: Option<Vec<u8>> = GUID_ORDER.iter().map(|at| bytes.get(*at).copied()).collect();
    let Some(ordered) = ordered.filter(|_| bytes.len() == GUID_ORDER.len()) else {
        return data_encoding::HEXLOWER.encode(bytes);
    };
    let mut text = data_encoding::HEXLOWER.encode(&ordered);
    for at in [20, 16, 12, 8] {
        text.insert(at, '-');
    }
    text
}

/// A subject as a filter's value: an identifier of Active Directory goes as bytes.
pub(crate) fn subject_value(attribute: &str, subject: &str) -> Option<String> {
    if !attribute.eq_ignore_ascii_case(GUID) {
        return Some(ldap3::ldap_escape(subject).into_owned());
    }
    let hex = subject.replace('-', "");
    let ordered = data_encoding::HEXLOWER.decode(hex.as_bytes()).ok()?;
    let mut bytes = [0; 16];
    for (place, byte) in GUID_ORDER.iter().zip(&ordered) {
        *bytes.get_mut(*place)? = *byte;
    }
    let escaped = bytes.iter().map(|byte| format!("\\{byte:02x}"));
    (ordered.len() == bytes.len()).then(|| escaped.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_of_active_directory_is_written_as_it_writes_it_and_asked_for_as_bytes() {
        let bytes: Vec<u8> = (0x10..0x20).collect();
        let expected = r"\10\11\12\13\14\15\16\17\18\19\1a\1b\1c\1d\1e\1f";
        let text = guid(&bytes);
        assert_eq!(text, "13121110-1514-1716-1819-1a1b1c1d1e1f");
        let asked = subject_value("objectguid", &text).unwrap();
        assert_eq!(asked, expected);
        assert_eq!(subject_value("objectGUID", "13121110"), None);
        assert_eq!(subject_value("entryUUID", "a*b").unwrap(), r"a\2ab");
    }
}
