//! The certificate that the server makes for itself: made once, kept, renewed when it nears its end
//! or when the names change.
//!
//! Certificate and key are one file, so that one rename exchanges both and no reader ever sees a
//! pair that does not match. Its first lines, which PEM readers skip, say what it was made for.

use std::{
    collections::BTreeSet,
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use super::TlsError;
use crate::{
    config::{Config, PublicUrl},
    data_dir::{create_private_dir, replace_file},
};

/// Apple's systems accept no longer life, even for a certificate that its user trusts.
const LIFE_DAYS: i64 = 825;

/// Renewed this long before the end, so that clients can be told the new fingerprint in time.
const RENEWAL_DAYS: i64 = 30;

/// The names that the certificate must be for: this machine as it calls itself, and everything in
/// the configuration that clients may type.
pub(super) fn names(config: &Config) -> Vec<String> {
    let mut names: BTreeSet<String> =
        ["localhost", "127.0.0.1", "::1"].into_iter().map(str::to_owned).collect();
    names.insert(config.public_url(None).host());
    let addresses = config.https_addresses().into_iter().map(|address| address.ip());
    names.extend(addresses.filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_string()));
    let hosts = config.server.allowed_hosts.iter();
    names.extend(
        hosts.filter_map(|host| Some(format!("http://{host}").parse::<PublicUrl>().ok()?.host())),
    );
    names.retain(|name| is_certifiable(name));
    names.into_iter().collect()
}

/// The machine's name, where the system tells it in a file.
///
/// It goes into a new certificate, but its change is no reason for one: a container gets another
/// name each time, and its clients trust the certificate that they know.
fn host_name() -> Option<String> {
    let name = ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .into_iter()
        .find_map(|path| fs::read_to_string(path).ok())?;
    Some(name.trim().to_lowercase())
}

/// What a certificate can name: an address, or a DNS name of ordinary letters.
fn is_certifiable(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    name.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(is_label))
}

/// The file of a certificate for these names that is good for a while; made anew if need be.
pub(super) fn ensure(
    folder: &Path,
    names: &[String],
    now: DateTime<Utc>,
) -> Result<PathBuf, TlsError> {
    let file = folder.join("self-signed.pem");
    let kept = fs::read_to_string(&file).unwrap_or_default();
    if is_good(&kept, names, now) {
        return Ok(file);
    }
    let made = make(names, now)?;
    create_private_dir(folder)
        .map_err(|source| TlsError::Write { path: folder.to_owned(), source })?;
    let write = |path: &Path, text: &str, mode: u32| {
        replace_file(path, text.as_bytes(), mode)
            .map_err(|source| TlsError::Write { path: path.to_owned(), source })
    };
    write(&file, &made.both, 0o600)?;
    write(&folder.join("self-signed.crt"), &made.certificate, 0o644)?;
    Ok(file)
}

fn is_good(kept: &str, names: &[String], now: DateTime<Utc>) -> bool {
    let after = |prefix: &str| kept.lines().find_map(|line| line.strip_prefix(prefix));
    let good_until = after("# expires: ")
        .and_then(|date| date.parse::<NaiveDate>().ok())
        .map(|date| date - TimeDelta::days(RENEWAL_DAYS));
    let has: Vec<&str> =
        after("# names: ").map(|line| line.split(", ").collect()).unwrap_or_default();
    names.iter().all(|name| has.contains(&name.as_str()))
        && good_until.is_some_and(|until| now.date_naive() < until)
        && kept.contains("BEGIN CERTIFICATE")
        && kept.contains("PRIVATE KEY")
}

struct Made {
    both: String,
    certificate: String,
}

fn make(names: &[String], now: DateTime<Utc>) -> Result<Made, TlsError> {
    // A day back, for clients whose clocks are behind.
    let from = now.date_naive() - TimeDelta::days(1);
    let until = from + TimeDelta::days(LIFE_DAYS);
    let day = |date: NaiveDate| {
        // Both are from 1 to 31, and from 1 to 12.
        let [month, day] = [date.month(), date.day()].map(|n| u8::try_from(n).unwrap_or(1));
        date_time_ymd(date.year(), month, day)
    };
    let mut names = names.to_vec();
    names.extend(host_name().filter(|name| is_certifiable(name) && !names.contains(name)));
    let mut params = CertificateParams::new(names.clone())?;
    params.not_before = day(from);
    params.not_after = day(until);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "BoxVault self-signed");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?.pem();
    let both = format!(
        "# Made and renewed by the server. To use another certificate, set\n\
         # server.tls_certificate_file and server.tls_private_key_file.\n\
         # names: {}\n# expires: {until}\n{certificate}{}",
        names.join(", "),
        key.serialize_pem()
    );
    Ok(Made { both, certificate })
}
