//! Certificates as operators have them: good, renewed, broken, of the wrong key.
#![expect(clippy::disallowed_methods, reason = "a test may write its files without an executor")]

use std::{
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    time::Instant,
};

use boxvault_transfer::FileListener;
use chrono::{TimeDelta, Utc};
use rustls::{ClientConfig, ClientConnection, RootCertStore, pki_types::ServerName};
use salvo::{Router, Server, conn::Acceptor, http::uri::Scheme};
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

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
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
    let with_more = made(&more, now + TimeDelta::days(796));
    assert!(with_more != renewed, "renewed for a new name");
    let fewer = made(&names(), now + TimeDelta::days(796));
    assert!(fewer == with_more, "a name more than needed is no reason");
}

#[test]
fn a_damaged_self_signed_certificate_is_made_anew() {
    let folder = TempDir::new().unwrap();
    let source = CertificateSource::SelfSigned { folder: folder.path().into(), names: names() };
    fs::write(folder.path().join("self-signed.pem"), "half a fi").unwrap();
    source.load().unwrap();
}

#[test]
fn the_self_signed_certificate_names_this_machine_and_what_clients_may_type() {
    let mut config = Config::default();
    config.server.public_url = Some("https://Boxes.example.com:5001".parse().unwrap());
    config.server.allowed_hosts = vec!["vpn.example.com:8443".to_owned()];
    config.server.bind = "192.0.2.7".parse().unwrap();
    let names = self_signed::names(&config);
    let expected =
        ["127.0.0.1", "192.0.2.7", "::1", "boxes.example.com", "localhost", "vpn.example.com"];
    assert_eq!(names, expected, "and always in this order");
    config.server.bind = "0.0.0.0".parse().unwrap();
    assert!(!self_signed::names(&config).contains(&"0.0.0.0".to_owned()));
}

#[test]
fn configured_files_are_used_as_they_are() {
    let folder = TempDir::new().unwrap();
    let (certificate, key) = pair();
    let source = files(folder.path(), &certificate, &key);
    let loaded = source.load().unwrap();
    assert_eq!(loaded.key.cert, [der(&certificate)]);
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
    assert_eq!(taken.key.cert, [der(&new)]);
    assert!(watch.look(false).await.is_none(), "taken once");
}

/// Serves nothing, over TLS; returns where.
fn serve(source: &CertificateSource, reload: &Reload) -> SocketAddr {
    let first = source.load().unwrap();
    let served = Served::new(&first);
    tokio::spawn(keep_current(served.clone(), source.clone(), first, reload.clone()));
    let inner = FileListener::new(vec![([127, 0, 0, 1], 0).into()]).listen().unwrap();
    let acceptor = TlsAcceptor::new(inner, served).unwrap();
    assert_eq!(acceptor.holdings()[0].http_scheme, Scheme::HTTPS);
    let address = acceptor.holdings()[0].local_addr.clone().into_std().unwrap();
    tokio::spawn(Server::new(acceptor).serve(Router::new()));
    address
}

/// Whether a client that trusts only this certificate agrees on HTTP/2 under this name.
async fn connects(address: SocketAddr, trusted: &str, name: &'static str) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(der(trusted)).unwrap();
    let mut config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let handshake = move || {
        let name = ServerName::try_from(name).unwrap();
        let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut socket = TcpStream::connect(address).unwrap();
        connection.complete_io(&mut socket).is_ok()
            && connection.alpn_protocol() == Some(b"h2".as_slice())
    };
    tokio::task::spawn_blocking(handshake).await.unwrap()
}

#[tokio::test]
async fn a_client_that_trusts_the_self_signed_certificate_connects_by_every_name_of_it() {
    let folder = TempDir::new().unwrap();
    let source = CertificateSource::SelfSigned { folder: folder.path().into(), names: names() };
    let address = serve(&source, &Reload::default());
    let trusted = fs::read_to_string(folder.path().join("self-signed.crt")).unwrap();
    for name in ["localhost", "127.0.0.1", "boxes.example.com"] {
        assert!(connects(address, &trusted, name).await, "{name}");
    }
    assert!(!connects(address, &trusted, "other.example.com").await);
    let (other, _) = pair();
    assert!(!connects(address, &other, "localhost").await);
}

#[tokio::test]
async fn the_listener_serves_a_new_certificate_without_a_restart() {
    let folder = TempDir::new().unwrap();
    let (old, old_key) = pair();
    let source = files(folder.path(), &old, &old_key);
    let reload = Reload::default();
    let address = serve(&source, &reload);
    assert!(connects(address, &old, "localhost").await);

    let (new, new_key) = pair();
    files(folder.path(), &new, &new_key);
    reload.request();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !connects(address, &new, "localhost").await {
        assert!(Instant::now() < deadline, "the new certificate is not served");
        tokio::task::yield_now().await;
    }
    assert!(!connects(address, &old, "localhost").await);
}
