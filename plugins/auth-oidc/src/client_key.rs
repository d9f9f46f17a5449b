//! The key by which this server proves to a provider that it is its client: `private_key_jwt` (RFC 7523; OpenID Connect
//! Core, section 9). The provider knows the public half alone, so nothing that is stored or logged there is of use to a
//! thief.
//!
//! The file is read for each sign-in: another key is another file, and no restart. It is refused while others could read
//! or change it.

use std::{
    fs::Metadata,
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::{self, SystemRandom},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
    },
};
use boxvault_plugin_sdk::{PluginError, Result, Secret};
use data_encoding::BASE64URL_NOPAD;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::{Value, json};
use tokio::{fs, io::AsyncReadExt};

use crate::{Config, JwtAlgorithm, JwtAudience, issuer::Description};

/// What says that a token stands for the client's secret.
pub(crate) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long one is good for, in seconds. It is used at once.
const ASSERTION_AGE_MAX_S: u64 = 60;
/// No key and its certificate are longer.
const FILE_BYTES_MAX: u64 = 64 << 10;

const OTHERS: u32 = 0o007;
const GROUP_WRITES: u32 = 0o020;

/// A private key, and what a token by it says of it.
pub(crate) struct ClientKey {
    pair: Pair,
    algorithm: JwtAlgorithm,
    /// The SHA-256 of the certificate beside the key, which is how Entra ID knows one.
    thumbprint: Option<String>,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl ClientKey {
    /// The key that the configuration names, if it does.
    ///
    /// # Errors
    /// `InvalidConfig`, naming `private_key_jwt_file`, and how to mend it.
    pub(crate) async fn read(config: &Config) -> Result<Option<Self>> {
        let Some(path) = &config.private_key_jwt_file else { return Ok(None) };
        let pem = read_private(path).await.map_err(|problem| bad(path, &problem))?;
        Self::parse(pem.as_bytes(), config.private_key_jwt_algorithm)
            .map(Some)
            .map_err(|problem| bad(path, problem))
    }

    fn parse(pem: &[u8], wanted: Option<JwtAlgorithm>) -> Result<Self, &'static str> {
        let key = PrivateKeyDer::from_pem_slice(pem)
            .map_err(|_| "there is no private key in it, as PEM and without a passphrase")?;
        let (pair, own) =
            pair(&key).ok_or("its key is none of RSA from 2048 bits, P-256, P-384 and Ed25519")?;
        let algorithm = wanted.unwrap_or(own);
        let fits =
            algorithm == own || (own, algorithm) == (JwtAlgorithm::Rs256, JwtAlgorithm::Ps256);
        if !fits {
            return Err("its key is of another kind than private_key_jwt_algorithm");
        }
        let certificate = CertificateDer::from_pem_slice(pem).ok();
        let thumbprint =
            certificate.map(|der| BASE64URL_NOPAD.encode(digest(&SHA256, &der).as_ref()));
        Ok(Self { pair, algorithm, thumbprint })
    }

    /// A token that says that this is the client, to be used once and now.
    pub(crate) fn assertion(&self, config: &Config, description: &Description) -> Result<Secret> {
        let mut unique = [0_u8; 16];
        rand::fill(&mut unique).map_err(|_| failed())?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let audience = match config.private_key_jwt_audience {
            JwtAudience::TokenEndpoint => &description.token_endpoint,
            JwtAudience::Issuer => &description.issuer,
        };
        let mut header = json!({ "alg": self.algorithm.name(), "typ": "JWT" });
        let names = [("kid", &config.private_key_jwt_kid), ("x5t#S256", &self.thumbprint)];
        for (name, value) in names {
            if let (Some(value), Some(header)) = (value, header.as_object_mut()) {
                header.insert(name.to_owned(), json!(value));
            }
        }
        let claims = json!({
            "iss": config.client_id, "sub": config.client_id, "aud": audience,
            "jti": BASE64URL_NOPAD.encode(&unique), "iat": now, "exp": now + ASSERTION_AGE_MAX_S,
        });
        let encoded = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let text = format!("{}.{}", encoded(&header), encoded(&claims));
        let signature = self.sign(text.as_bytes())?;
        Ok(Secret::new(format!("{text}.{}", BASE64URL_NOPAD.encode(&signature))))
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let encoding: &dyn aws_lc_rs::signature::RsaEncoding =
                    if self.algorithm == JwtAlgorithm::Ps256 {
                        &RSA_PSS_SHA256
                    } else {
                        &RSA_PKCS1_SHA256
                    };
                pair.sign(encoding, &random, text, &mut signature).map_err(|_| failed())?;
                Ok(signature)
            }
            Pair::Ec(pair) => {
                let signature = pair.sign(&random, text).map_err(|_| failed())?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Ed(pair) => Ok(pair.sign(text).as_ref().to_vec()),
        }
    }
}

/// A key of a kind that is known here, and what it signs with when nobody says otherwise.
fn pair(key: &PrivateKeyDer<'_>) -> Option<(Pair, JwtAlgorithm)> {
    let der = key.secret_der();
    let rsa = || {
        let pair = match key {
            PrivateKeyDer::Pkcs1(_) => RsaKeyPair::from_der(der),
            _ => RsaKeyPair::from_pkcs8(der),
        };
        Some((Pair::Rsa(pair.ok()?), JwtAlgorithm::Rs256))
    };
    let ec = |curve, algorithm| {
        let pair = match key {
            PrivateKeyDer::Sec1(_) => EcdsaKeyPair::from_private_key_der(curve, der),
            _ => EcdsaKeyPair::from_pkcs8(curve, der),
        };
        Some((Pair::Ec(pair.ok()?), algorithm))
    };
    rsa()
        .or_else(|| ec(&ECDSA_P256_SHA256_FIXED_SIGNING, JwtAlgorithm::Es256))
        .or_else(|| ec(&ECDSA_P384_SHA384_FIXED_SIGNING, JwtAlgorithm::Es384))
        .or_else(|| Some((Pair::Ed(Ed25519KeyPair::from_pkcs8(der).ok()?), JwtAlgorithm::EdDsa)))
}

/// The text of a file that nobody else can read or change.
async fn read_private(path: &Path) -> Result<String, String> {
    let said = |error: io::Error| error.to_string();
    // what is no file may never end
    if !fs::metadata(path).await.map_err(said)?.is_file() {
        return Err("it is no file".to_owned());
    }
    let file = fs::File::open(path).await.map_err(said)?;
    // of what is read, whatever the name leads to by now
    let meta = file.metadata().await.map_err(said)?;
    let us = fs::metadata("/proc/self").await.map(|meta| meta.uid()).ok();
    check_private(&meta, us)
        .map_err(|(problem, command)| format!("{problem}; run `{command} {}`", path.display()))?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).await.map_err(said)?;
    Ok(text)
}

/// Where there is no `/proc`, the owner is not checked; the mode is.
fn check_private(meta: &Metadata, us: Option<u32>) -> Result<(), (&'static str, &'static str)> {
    if meta.uid() != 0 && us.is_some_and(|us| us != meta.uid()) {
        return Err(("it belongs to another user", "chown root"));
    }
    if meta.mode() & OTHERS != 0 {
        return Err(("every user of this machine can get at it", "chmod o-rwx"));
    }
    if meta.mode() & GROUP_WRITES != 0 {
        return Err(("its group can change it", "chmod g-w"));
    }
    Ok(())
}

fn bad(path: &Path, problem: &str) -> PluginError {
    PluginError::invalid_config(format!("private_key_jwt_file: {}: {problem}", path.display()))
}

fn failed() -> PluginError {
    PluginError::unexpected("no token could be signed with the key of private_key_jwt_file")
}
