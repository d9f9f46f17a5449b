//! The auth suite on this provider directly, and what only this provider promises. The OpenID provider is a real one.

use std::{
    collections::BTreeMap, fs::Permissions, os::unix::fs::PermissionsExt, path::Path, sync::Arc,
};

use boxvault_plugin_conformance::{
    auth,
    servers::{OidcServer, skip},
};
use boxvault_plugin_sdk::{
    AuthFacets, AuthPlugin, AuthProvider, Claims, Credentials, PluginErrorKind, RedirectFinish,
    RedirectRequest, Secret, config,
};
use data_encoding::{BASE64URL_NOPAD, HEXUPPER};
use sha2::{Digest, Sha256};
use url::Url;

use crate::{
    ClientAuthentication, Config, JwtAlgorithm, JwtAudience, Oidc, Userinfo, client_key::ClientKey,
    issuer::Issuer,
};

const CALLBACK: &str = OidcServer::CALLBACK;
const VERIFIER: &str = "a-verifier-that-is-as-long-as-it-has-to-be-0123456789";
const NONCE: &str = "a nonce of a test";

/// A provider, or a word about why there is none.
fn server(test: &str) -> Option<OidcServer> {
    OidcServer::start().map_err(|reason| skip(&format!("{test} (oidc)"), &reason)).ok()
}

/// Every key that is not written.
fn usual() -> Config {
    config::parse(br#"{"issuer": "https://id.example.org", "client_id": "boxvault"}"#).unwrap()
}

fn config(server: &OidcServer) -> Config {
    Config {
        issuer: server.issuer.clone(),
        client_id: server.client_id.clone(),
        client_secret: Some(Secret::new(&server.client_secret)),
        ca_file: Some(server.ca_file.clone()),
        // a test does not wait for clocks
        clock_skew_s: 5,
        ..usual()
    }
}

/// The same with a key instead of the secret.
fn keyed(server: &OidcServer, file: &Path, kid: Option<&str>) -> Config {
    Config {
        client_secret: None,
        private_key_jwt_file: Some(file.to_owned()),
        private_key_jwt_kid: kid.map(str::to_owned),
        ..config(server)
    }
}

async fn provider(config: Config) -> Arc<dyn AuthProvider> {
    Arc::from(Oidc::create(config).await.unwrap())
}

/// What the browser brings back after it was at the provider.
async fn trip(
    provider: &Arc<dyn AuthProvider>,
    server: &mut OidcServer,
    who: &str,
) -> Result<RedirectFinish, PluginErrorKind> {
    let request = RedirectRequest {
        callback_url: CALLBACK.to_owned(),
        state: "a state".to_owned(),
        nonce: NONCE.to_owned(),
        code_challenge: BASE64URL_NOPAD.encode(&Sha256::digest(VERIFIER)),
    };
    let start = provider.start_redirect(request).await.map_err(|error| error.kind)?;
    let back = server.visit(who, &start.url);
    assert!(back.starts_with(CALLBACK), "{back}");
    let back = Url::parse(&back).unwrap();
    let parameters: BTreeMap<String, String> = back.query_pairs().into_owned().collect();
    assert_eq!(parameters["state"], "a state");
    Ok(RedirectFinish {
        callback_url: CALLBACK.to_owned(),
        parameters,
        nonce: NONCE.to_owned(),
        code_verifier: VERIFIER.to_owned(),
    })
}

async fn finish(
    provider: &Arc<dyn AuthProvider>,
    finish: RedirectFinish,
) -> Result<Claims, PluginErrorKind> {
    provider.finish_redirect(finish).await.map_err(|error| error.kind)
}

async fn sign_in(
    provider: &Arc<dyn AuthProvider>,
    server: &mut OidcServer,
    who: &str,
) -> Result<Claims, PluginErrorKind> {
    let back = trip(provider, server, who).await?;
    finish(provider, back).await
}

fn ann(server: &OidcServer) -> Claims {
    Claims {
        issuer: server.issuer.clone(),
        subject: "ann".to_owned(),
        username: "ann".to_owned(),
        email: Some("ann@example.org".to_owned()),
        email_verified: true,
        display_name: Some("Ann Example".to_owned()),
        groups: ["builders", "staff"].map(str::to_owned).to_vec(),
        ..Claims::default()
    }
}

const REFUSED: Result<Claims, PluginErrorKind> = Err(PluginErrorKind::BadCredentials);
const AWAY: Result<Claims, PluginErrorKind> = Err(PluginErrorKind::Unavailable);

#[tokio::test]
async fn the_auth_suite_passes() {
    let Some(server) = server("the_auth_suite_passes") else { return };
    let driver = auth::Driver::start(&server.driver(), OidcServer::CALLBACK).unwrap();
    let fixture = auth::Fixture {
        credentials: Credentials::new("ann", "correct horse"),
        claims: ann(&server),
        disabled: None,
        driver: Some(driver),
    };
    // as soon as it can be: a case waits for the new keys
    let config = Config { keys_pause_s: 1, ..config(&server) };
    let make = || async { Ok(Arc::from(Oidc::create(config.clone()).await?)) };
    let report = auth::run(make, &fixture).await;
    println!("{report}");
    assert!(report.passed(), "{report}");
    assert_eq!(report.counts()[3], 0, "nothing was skipped: {report}");
}

#[tokio::test]
async fn whoever_comes_back_with_a_code_is_known_whatever_way_the_client_proves_itself() {
    let test = "whoever_comes_back_with_a_code_is_known_whatever_way_the_client_proves_itself";
    let Some(mut server) = server(test) else { return };
    for client_authentication in
        [None, Some(ClientAuthentication::Basic), Some(ClientAuthentication::Post)]
    {
        let corp = provider(Config { client_authentication, ..config(&server) }).await;
        assert_eq!(sign_in(&corp, &mut server, "ann").await, Ok(ann(&server)));
    }
    let corp = provider(config(&server)).await;
    let bob = sign_in(&corp, &mut server, "bob").await.unwrap();
    assert_eq!((bob.email_verified, bob.groups.len()), (false, 0));
    assert_eq!(sign_in(&corp, &mut server, "nobody").await, REFUSED, "who refuses, or is refused");
    let wrong = Config { client_secret: Some(Secret::new("not it")), ..config(&server) };
    let wrong = provider(wrong).await;
    let refused = sign_in(&wrong, &mut server, "ann").await;
    assert_eq!(refused, Err(PluginErrorKind::PermissionDenied));
}

#[tokio::test]
async fn a_key_proves_who_the_client_is_whatever_kind_it_is_of() {
    let test = "a_key_proves_who_the_client_is_whatever_kind_it_is_of";
    let Some(mut server) = server(test) else { return };
    for (kind, algorithm) in [
        ("rsa", None),
        ("rsa-pkcs1", Some(JwtAlgorithm::Ps256)),
        ("certified", Some(JwtAlgorithm::Rs256)),
        ("p256", None),
        ("p256-sec1", Some(JwtAlgorithm::Es256)),
        ("p384", None),
        ("ed25519", None),
    ] {
        let (file, kid) = server.new_client_key(kind);
        let keyed =
            Config { private_key_jwt_algorithm: algorithm, ..keyed(&server, &file, Some(&kid)) };
        let corp = provider(keyed).await;
        assert_eq!(sign_in(&corp, &mut server, "ann").await, Ok(ann(&server)), "{kind}");
    }
}

#[tokio::test]
async fn a_key_is_taken_for_itself_alone_and_may_be_changed_while_the_server_runs() {
    let test = "a_key_is_taken_for_itself_alone_and_may_be_changed_while_the_server_runs";
    let Some(mut server) = server(test) else { return };
    let (old, _) = server.new_client_key("p256");
    let (file, kid) = server.new_client_key("p256");
    let foreign = provider(keyed(&server, &old, Some(&kid))).await;
    let told = foreign.finish_redirect(trip(&foreign, &mut server, "ann").await.unwrap()).await;
    let told = told.unwrap_err();
    assert_eq!(told.kind, PluginErrorKind::PermissionDenied);
    assert!(told.message.contains("private_key_jwt_file"), "{told}");
    let misnamed = provider(keyed(&server, &file, Some("another"))).await;
    let refused = sign_in(&misnamed, &mut server, "ann").await;
    assert_eq!(refused, Err(PluginErrorKind::PermissionDenied));
    // one key needs no name, and who it is for may be said in both ways
    for private_key_jwt_audience in [JwtAudience::TokenEndpoint, JwtAudience::Issuer] {
        let plain = Config { private_key_jwt_audience, ..keyed(&server, &file, None) };
        assert_eq!(sign_in(&provider(plain).await, &mut server, "ann").await, Ok(ann(&server)));
    }
    let corp = provider(keyed(&server, &file, None)).await;
    let (next, _) = server.new_client_key("p384");
    let refused = sign_in(&corp, &mut server, "ann").await;
    assert_eq!(refused, Err(PluginErrorKind::PermissionDenied), "the provider knows another one");
    std::fs::rename(next, &file).unwrap();
    assert_eq!(sign_in(&corp, &mut server, "ann").await, Ok(ann(&server)));
    std::fs::remove_file(&file).unwrap();
    let back = trip(&corp, &mut server, "ann").await.unwrap();
    let told = corp.finish_redirect(back).await.unwrap_err();
    assert_eq!(told.kind, PluginErrorKind::InvalidConfig, "{told}");
}

#[tokio::test]
async fn a_key_that_others_can_get_at_or_that_is_none_is_told_at_the_start() {
    let test = "a_key_that_others_can_get_at_or_that_is_none_is_told_at_the_start";
    let Some(mut server) = server(test) else { return };
    let told = async |config: Config| match Oidc::create(config).await.map(drop) {
        Ok(()) => panic!("the key was taken"),
        Err(error) => {
            assert_eq!(error.kind, PluginErrorKind::InvalidConfig, "{error}");
            assert!(error.message.starts_with("private_key_jwt_file: /"), "{error}");
            error.message
        }
    };
    let (file, _) = server.new_client_key("p256");
    let good = keyed(&server, &file, None);
    let mode = |mode: u32| std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    for (bits, command) in
        [(0o644, "chmod o-rwx /"), (0o602, "chmod o-rwx /"), (0o660, "chmod g-w /")]
    {
        mode(bits);
        let said = told(good.clone()).await;
        assert!(said.contains(command), "{bits:o}: {said}");
    }
    for bits in [0o600, 0o640, 0o400] {
        mode(bits);
        drop(provider(good.clone()).await);
    }
    let wrong = Config { private_key_jwt_algorithm: Some(JwtAlgorithm::Rs256), ..good.clone() };
    assert!(told(wrong).await.contains("private_key_jwt_algorithm"));
    let (short, _) = server.new_client_key("rsa-short");
    assert!(told(keyed(&server, &short, None)).await.contains("none of RSA from 2048 bits"));
    tokio::fs::write(&file, "canary").await.unwrap();
    let said = told(good.clone()).await;
    assert!(said.contains("no private key") && !said.contains("canary"), "{said}");
    tokio::fs::remove_file(&file).await.unwrap();
    told(good).await;
}

#[tokio::test]
async fn a_certificate_beside_the_key_is_named_by_its_thumbprint() {
    let Some(mut server) = server("a_certificate_beside_the_key_is_named_by_its_thumbprint") else {
        return;
    };
    let (file, kid) = server.new_client_key("certified");
    let config = keyed(&server, &file, Some(&kid));
    let issuer = Issuer::new(config.clone()).await.unwrap();
    let key = ClientKey::read(&config).await.unwrap().unwrap();
    let description = issuer.description().await.unwrap();
    let assertions = [(); 2].map(|()| key.assertion(&config, &description).unwrap());
    let [header, claims] = [0, 1].map(|part| {
        let text = assertions[0].expose().split('.').nth(part).unwrap();
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()
    });
    let openssl = std::process::Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(&file)
        .output()
        .unwrap();
    let thumbprint = String::from_utf8(openssl.stdout).unwrap();
    let thumbprint = thumbprint.trim().rsplit('=').next().unwrap().replace(':', "");
    let thumbprint = HEXUPPER.decode(thumbprint.as_bytes()).unwrap();
    assert_eq!(header["x5t#S256"], BASE64URL_NOPAD.encode(&thumbprint), "{header}");
    assert_eq!((&header["kid"], &header["alg"]), (&kid.into(), &"RS256".into()));
    let lasts = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!((lasts, &claims["iss"], &claims["sub"]), (60, &claims["sub"], &"boxvault".into()));
    assert_ne!(assertions[0].expose(), assertions[1].expose(), "each is used once");
}

#[tokio::test]
async fn claims_come_from_where_the_configuration_says() {
    let Some(mut server) = server("claims_come_from_where_the_configuration_says") else { return };
    let nested = Config {
        groups_claim: "realm_access.roles".into(),
        userinfo: Userinfo::Always,
        ..config(&server)
    };
    let found = sign_in(&provider(nested).await, &mut server, "ann").await.unwrap();
    assert_eq!(found.groups, ["ann-role"]);
    let never = Config { userinfo: Userinfo::Never, ..config(&server) };
    let refused = sign_in(&provider(never).await, &mut server, "ann").await;
    assert_eq!(refused, Err(PluginErrorKind::Unexpected), "the token holds no name");
    let never =
        Config { userinfo: Userinfo::Never, username_claim: "sub".into(), ..config(&server) };
    let found = sign_in(&provider(never).await, &mut server, "ann").await.unwrap();
    assert_eq!((found.email, found.groups.len()), (None, 0));
    server.twist("stranger");
    let corp = provider(config(&server)).await;
    assert_eq!(sign_in(&corp, &mut server, "ann").await, REFUSED, "claims of somebody else");
}

#[tokio::test]
async fn a_provider_that_is_broken_is_told_apart_from_who_is_refused() {
    let test = "a_provider_that_is_broken_is_told_apart_from_who_is_refused";
    let Some(mut server) = server(test) else { return };
    let corp = provider(config(&server)).await;
    server.twist("unknown");
    assert_eq!(sign_in(&corp, &mut server, "ann").await, AWAY, "a key that nobody names");
    server.twist("notoken");
    let refused = sign_in(&corp, &mut server, "ann").await;
    assert_eq!(refused, Err(PluginErrorKind::Unexpected));
    // a token that does not say which key it is by is tried with all that may be
    server.twist("nameless");
    assert_eq!(sign_in(&corp, &mut server, "ann").await, Ok(ann(&server)));
}

#[tokio::test]
async fn what_comes_back_is_a_code_of_this_provider_or_says_what_went_wrong() {
    let test = "what_comes_back_is_a_code_of_this_provider_or_says_what_went_wrong";
    let Some(mut server) = server(test) else { return };
    let corp = provider(config(&server)).await;
    for (name, value, kind) in [
        ("code", None, PluginErrorKind::BadCredentials),
        ("code", Some("x"), PluginErrorKind::BadCredentials),
        ("iss", None, PluginErrorKind::BadCredentials),
        ("iss", Some("https://evil.example"), PluginErrorKind::BadCredentials),
        ("error", Some("login_required"), PluginErrorKind::BadCredentials),
        ("error", Some("temporarily_unavailable"), PluginErrorKind::Unavailable),
        ("error", Some("invalid_scope"), PluginErrorKind::Unexpected),
    ] {
        let mut back = trip(&corp, &mut server, "ann").await.unwrap();
        match value {
            Some(value) => drop(back.parameters.insert(name.into(), value.into())),
            None => drop(back.parameters.remove(name)),
        }
        assert_eq!(finish(&corp, back).await, Err(kind), "{name}: {value:?}");
    }
}

#[tokio::test]
async fn unknown_keys_do_not_become_a_flood_of_questions() {
    let Some(mut server) = server("unknown_keys_do_not_become_a_flood_of_questions") else {
        return;
    };
    let corp = provider(Config { keys_pause_s: 3_600, ..config(&server) }).await;
    assert_eq!(sign_in(&corp, &mut server, "ann").await, Ok(ann(&server)));
    server.rotate_keys();
    let within_its_pause = sign_in(&corp, &mut server, "ann").await;
    assert_eq!(within_its_pause, AWAY);
    let before = server.count("/jwks");
    for _ in 0..20 {
        let token = server.logout_token("unknown", "ann", None);
        let refused = corp.read_logout_notice(Secret::new(token)).await.unwrap_err();
        assert_eq!(refused.kind, PluginErrorKind::BadCredentials);
    }
    assert_eq!(server.count("/jwks"), before, "anybody can send unknown keys");
}

#[tokio::test]
async fn a_provider_that_is_another_one_is_told() {
    let Some(server) = server("a_provider_that_is_another_one_is_told") else { return };
    // one that shows another certificate is as good as none
    let untrusting = provider(Config { ca_file: None, ..config(&server) }).await;
    assert_eq!(untrusting.health().await.unwrap_err().kind, PluginErrorKind::Unavailable);
    let renamed = Config { issuer: format!("{}/", server.issuer), ..config(&server) };
    let told = provider(renamed).await.health().await.unwrap_err();
    assert!(told.kind == PluginErrorKind::InvalidConfig && told.message.contains("calls itself"));
}

#[tokio::test]
async fn signing_out_leads_to_the_provider_and_back() {
    let Some(mut server) = server("signing_out_leads_to_the_provider_and_back") else { return };
    let after = "https://boxvault.invalid/";
    server.set_client(CALLBACK, Some("https://boxvault.invalid/told"), Some(after));
    let back = Config { post_logout_url: Some(after.into()), ..config(&server) };
    let corp = provider(back).await;
    let found = sign_in(&corp, &mut server, "ann").await.unwrap();
    assert!(found.session.is_some(), "the provider names its session");
    let url = corp.logout("ann").await.unwrap().unwrap();
    assert_eq!(server.leave("ann", &url), after);
    let stays = provider(Config { end_session: false, ..config(&server) }).await;
    assert!(!stays.facets().contains(AuthFacets::LOGOUT));
    assert_eq!(stays.logout("ann").await.unwrap_err().kind, PluginErrorKind::Unsupported);
}

#[test]
fn a_configuration_that_cannot_work_is_told_by_its_key() {
    let good = usual();
    Oidc::validate(&good).unwrap();
    let other = |change: fn(&mut Config)| {
        let mut config = good.clone();
        change(&mut config);
        config
    };
    for (config, told) in [
        (other(|c| c.issuer = "id.example.org".into()), "issuer: "),
        (other(|c| c.issuer = "http://id.example.org".into()), "issuer: everybody on the way"),
        (other(|c| c.issuer = "ldap://id.example.org".into()), "issuer: ldap:// is not"),
        (other(|c| c.issuer = "https://id.example.org?x".into()), "issuer: it is an address"),
        (other(|c| c.client_id = String::new()), "client_id: "),
        (other(|c| c.client_secret = Some(Secret::new(""))), "client_secret: "),
        (
            other(|c| c.client_authentication = Some(ClientAuthentication::Post)),
            "client_authentication: ",
        ),
        (
            other(|c| c.client_authentication = Some(ClientAuthentication::PrivateKeyJwt)),
            "client_authentication: it needs private_key_jwt_file",
        ),
        (other(|c| c.private_key_jwt_kid = Some("x".into())), "private_key_jwt_kid: "),
        (
            other(|c| c.private_key_jwt_algorithm = Some(JwtAlgorithm::Es256)),
            "private_key_jwt_algorithm: ",
        ),
        (
            other(|c| {
                c.client_secret = Some(Secret::new("x"));
                c.private_key_jwt_file = Some("/x".into());
            }),
            "private_key_jwt_file: client_secret is set as well",
        ),
        (
            other(|c| {
                c.client_authentication = Some(ClientAuthentication::Basic);
                c.private_key_jwt_file = Some("/x".into());
            }),
            "client_authentication: it sends client_secret",
        ),
        (other(|c| c.scopes = vec!["profile".into()]), "scopes: "),
        (other(|c| c.scopes.push("a b".into())), "scopes.3: "),
        (other(|c| c.username_claim = String::new()), "username_claim: "),
        (other(|c| c.groups_claim = String::new()), "groups_claim: "),
        (other(|c| c.post_logout_url = Some("/".into())), "post_logout_url: "),
        (
            other(|c| drop(c.authorization_parameters.insert("nonce".into(), "x".into()))),
            "authorization_parameters.nonce: ",
        ),
    ] {
        let refused = Oidc::validate(&config).unwrap_err();
        assert!(refused.message.starts_with(told), "{refused}");
    }
    let allowed = other(|c| {
        c.issuer = "http://127.0.0.1:1".into();
        c.plaintext_allowed = true;
    });
    Oidc::validate(&allowed).unwrap();
}
