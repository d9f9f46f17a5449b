//! Certificates as operators have them: good, renewed, broken, of the wrong key.
#![expect(clippy::disallowed_methods, reason = "a test may write its files without an executor")]

use std::{os::unix::fs::PermissionsExt, pin::pin};

use chrono::{TimeDelta, Utc};
use tempfile::TempDir;

use super::*;

fn names() -> Vec<String> {
    ["localhost", "127.0.0.1", "boxes.example.com"].map(str::to_owned).to_vec()
}

/// A certificate and its key as PEM texts.
fn pair() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(names()).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// Two files in a folder, as configured.
fn files(folder: &Path, certificate: &str, key: &str) -> CertificateSource {
    let source = CertificateSource::Files {
        certificate: folder.join("tls.crt"),
        key: folder.join("tls.key"),
    };
    fs::write(folder.join("tls.crt"), certificate).unwrap();
    fs::write(folder.join("tls.key"), key).unwrap();
    source
}

#[test]
fn a_self_signed_certificate_is_made_once_and_kept_private() {
    let folder = TempDir::new().unwrap();
    let tls = folder.path().join("tls");
    let source = CertificateSource::SelfSigned { folder: tls.clone(), names: names() };
    let first = source.load().unwrap();
    let second = source.load().unwrap();
    assert_eq!(first.fingerprint(), second.fingerprint());
    assert_eq!(first.fingerprint().len(), 32 * 3 - 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&tls), 0o700);
    assert_eq!(mode(&tls.join("self-signed.pem")), 0o600);
    let public = fs::read_to_string(tls.join("self-signed.crt")).unwrap();
    assert!(!public.contains("PRIVATE"), "{public}");
    assert!(!format!("{first:?}").contains("PRIVATE"));
}

#[test]
fn a_self_signed_certificate_is_renewed_near_its_end_and_when_the_names_change() {
    let folder = TempDir::new().unwrap();
    let now = Utc::now();
    let made = |names: &[String], now| {
        fs::read(self_signed::ensure(folder.path(), names, now).unwrap()).unwrap()
    };
    let first = made(&names(), now);
    assert!(made(&names(), now + TimeDelta::days(790)) == first, "kept while it is good");
    let renewed = made(&names(), now + TimeDelta::days(796));
    assert!(renewed != first, "renewed a month before its end");
    let mut more = names();
    more.push("::1".to_owned());
    assert!(made(&more, now + TimeDelta::days(796)) != renewed, "renewed for new names");
}

#[test]
fn a_damaged_self_signed_certificate_is_made_anew() {
    let folder = TempDir::new().unwrap();
    let source = CertificateSource::SelfSigned { folder: folder.path().into(), names: names() };
    fs::write(folder.path().join("self-signed.pem"), "half a fi").unwrap();
    source.load().unwrap();
}

#[test]
fn the_self_signed_certificate_names_this_machine_and_the_public_url() {
    let url = "https://Boxes.example.com:5001".parse().unwrap();
    let names = self_signed::names(&url);
    for name in ["localhost", "127.0.0.1", "::1", "boxes.example.com"] {
        assert!(names.iter().any(|found| found == name), "{name}: {names:?}");
    }
    assert_eq!(self_signed::names(&url), names, "the order never changes");
}

#[test]
fn configured_files_are_used_as_they_are() {
    let folder = TempDir::new().unwrap();
    let (certificate, key) = pair();
    let source = files(folder.path(), &certificate, &key);
    let loaded = source.load().unwrap();
    let config: rustls::ServerConfig = loaded.listener_config().try_into().unwrap();
    assert_eq!(config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
}

#[test]
fn every_broken_file_is_named_with_what_to_do() {
    let folder = TempDir::new().unwrap();
    let (certificate, key) = pair();
    let (_, other_key) = pair();
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----";
    let cut = certificate.split_at(certificate.len() / 2).0;
    let garbage = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    for (certificate, key, file, expected) in [
        ("", key.as_str(), "tls.crt", "holds no certificate"),
        (&certificate, "", "tls.key", "holds no unencrypted private key"),
        (&certificate, encrypted, "tls.key", "openssl pkey"),
        (&certificate, &certificate, "tls.key", "holds no unencrypted private key"),
        (cut, &key, "tls.crt", "is damaged"),
        (garbage, &key, "tls.crt", "cannot be used"),
        (&certificate, &other_key, "tls.key", "does not belong to the first certificate"),
    ] {
        let message = files(folder.path(), certificate, key).load().unwrap_err().to_string();
        assert!(message.contains(file) && message.contains(expected), "{expected}: {message}");
    }
    let source = CertificateSource::Files { certificate: "/nonexistent".into(), key: "/n".into() };
    assert!(source.load().unwrap_err().to_string().contains("could not read /nonexistent"));
}

#[tokio::test]
async fn a_changed_file_is_taken_and_a_broken_one_is_not() {
    let folder = TempDir::new().unwrap();
    let (old, old_key) = pair();
    let source = files(folder.path(), &old, &old_key);
    let first = source.load().unwrap();
    let mut watch = Watch::new(source, &first, Reload::default());
    assert!(watch.look(false).await.is_none(), "nothing changed");
    assert!(watch.look(true).await.is_none(), "nothing changed, and that is said");

    let (new, new_key) = pair();
    files(folder.path(), &new, &old_key);
    assert!(watch.look(true).await.is_none(), "the key is another certificate's");
    files(folder.path(), &new, &new_key);
    let taken = watch.look(false).await.expect("the files changed");
    assert_eq!(taken.chain_pem, new.as_bytes());
    assert!(watch.look(false).await.is_none(), "taken once");
}

#[tokio::test]
async fn the_listener_gets_the_first_certificate_and_then_the_new_one_on_request() {
    let folder = TempDir::new().unwrap();
    let (old, old_key) = pair();
    let source = files(folder.path(), &old, &old_key);
    let reload = Reload::default();
    let first = source.load().unwrap();
    let mut served = pin!(certificates(source, &first, reload.clone()));
    let chain = |config: RustlsConfig| config.fallback.unwrap().cert;
    assert_eq!(chain(served.next().await.unwrap()), old.as_bytes());

    let (new, new_key) = pair();
    files(folder.path(), &new, &new_key);
    reload.request();
    assert_eq!(chain(served.next().await.unwrap()), new.as_bytes());
}
