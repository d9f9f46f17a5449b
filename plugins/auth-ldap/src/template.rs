//! Filters and names with places for what somebody typed. It is always escaped: it cannot become a part of the filter.

use ldap3::{dn_escape, ldap_escape};

/// The place for a user's name.
pub(crate) const USERNAME: &str = "{username}";
/// The place for the name of an entry.
pub(crate) const DN: &str = "{dn}";

/// A filter with an entry and a user's name in their places.
pub(crate) fn filter(template: &str, dn: &str, username: &str) -> String {
    replace(template, &[(DN, &ldap_escape(dn)), (USERNAME, &ldap_escape(username))])
}

/// The name of an entry, with a user's name in its place.
pub(crate) fn dn(template: &str, username: &str) -> String {
    replace(template, &[(USERNAME, &dn_escape(username))])
}

/// Replaces all places in one pass: what is put in is not looked at again.
fn replace(template: &str, places: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let place = places.iter().find(|(place, _)| from.starts_with(place));
        let (place, value) = place.copied().unwrap_or(("{", "{"));
        text.push_str(value);
        rest = from.get(place.len()..).unwrap_or_default();
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_stays_a_value() {
        let found = filter("(&(uid={username})(member={dn}))", "cn=a(b)*", "*)(uid=*");
        assert_eq!(found, r"(&(uid=\2a\29\28uid=\2a)(member=cn=a\28b\29\2a))");
        assert_eq!(filter("(uid={username})", "", "{dn}{username}"), "(uid={dn}{username})");
        assert_eq!(dn("uid={username},ou=p", "a,ou=x+y=z"), r"uid=a\2cou\3dx\2by\3dz,ou=p");
        assert_eq!(filter("({x})", "", ""), "({x})");
    }
}
