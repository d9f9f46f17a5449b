//! `Client`: a caller of the API with or without credentials, and `Publication`: a box on its way to others.
//!
//! Requests are written out as their JSON and answers are read as JSON, not as the server's own types: a renamed
//! field has to break a test here, as it would break somebody's script.

use std::time::Duration;

use reqwest::{
    Method, RequestBuilder,
    header::{HeaderMap, HeaderName},
};
use serde_json::{Value, json};

use crate::{document, reasons};

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub bytes: Vec<u8>,
}

impl Reply {
    /// The body as JSON; panics with the body when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| {
            panic!("{error} in the body of {}: {}", self.status, self.text())
        })
    }

    /// `data` of an answer in the API's form.
    pub fn data(&self) -> Value {
        self.json().get_mut("data").map(Value::take).unwrap_or_default()
    }

    /// `error.code` of a failure in the API's form; empty when there is none.
    pub fn code(&self) -> String {
        let body = self.json();
        body.pointer("/error/code").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A caller.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Client {
    /// A caller without credentials, of the server at a URL.
    pub fn new(base: &str) -> Self {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .danger_accept_invalid_certs(true)
            .build()
            .expect("no option of the client can fail");
        Self { http, base: base.to_owned(), token: None }
    }

    /// The same caller with a session's access token or an API token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The token that it presents.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Signs in, and returns the caller with the session.
    pub async fn sign_in(&self, username: &str, password: &str) -> Self {
        let credentials = json!({ "username": username, "password": password });
        let reply = self.post("/api/auth/signin", &credentials).await;
        assert_eq!(reply.status, 200, "sign-in of {username}: {}", reply.text());
        let body = reply.json();
        let token = body.pointer("/data/accessToken").and_then(Value::as_str);
        self.with_token(token.unwrap_or_else(|| panic!("no data.accessToken in {body}")))
    }

    /// A request to a path, with the credentials.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.header("x-access-token", token),
            None => request,
        }
    }

    /// Reads a path.
    pub async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path)).await
    }

    /// Reads a path; nothing when no server answers.
    pub async fn try_get(&self, path: &str) -> Option<Reply> {
        try_send(self.request(Method::GET, path)).await.ok()
    }

    /// Reads a path with further headers.
    pub async fn get_with(&self, path: &str, headers: &[(&'static str, &str)]) -> Reply {
        send(with_headers(self.request(Method::GET, path), headers)).await
    }

    /// Sends `HEAD`.
    pub async fn head(&self, path: &str) -> Reply {
        send(self.request(Method::HEAD, path)).await
    }

    /// Sends JSON by `POST`.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        send(self.request(Method::POST, path).json(body)).await
    }

    /// Sends JSON by `PUT`.
    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        send(self.request(Method::PUT, path).json(body)).await
    }

    /// Sends `DELETE`.
    pub async fn delete(&self, path: &str) -> Reply {
        send(self.request(Method::DELETE, path)).await
    }

    /// Deletes the caller's own account, by its password.
    pub async fn delete_account(&self) -> Reply {
        let body = json!({ "currentPassword": crate::server::PASSWORD });
        send(self.request(Method::DELETE, "/api/user").json(&body)).await
    }

    /// Sends a file as it is, by `PUT`.
    pub async fn upload(
        &self,
        path: &str,
        file: Vec<u8>,
        headers: &[(&'static str, &str)],
    ) -> Reply {
        send(with_headers(self.request(Method::PUT, path).body(file), headers)).await
    }

    /// Makes whatever is missing on the way to the file, uploads it, and releases the version.
    pub async fn publish(&self, publication: &Publication<'_>) {
        self.prepare(publication).await;
        let path = format!("{}/upload", publication.file_path());
        let reply = self.upload(&path, publication.file.to_vec(), &[]).await;
        assert!([200, 201].contains(&reply.status), "PUT {path}: {}", reply.text());
        self.release(publication).await;
    }

    /// Makes whatever is missing on the way to the file, and uploads nothing.
    pub async fn prepare(&self, publication: &Publication<'_>) {
        let Publication { organization, name, version, provider, architecture, .. } = *publication;
        let box_path = format!("/api/organization/{organization}/box");
        let version_path = format!("{box_path}/{name}/version");
        let provider_path = format!("{version_path}/{version}/provider");
        let architecture_path = format!("{provider_path}/{provider}/architecture");
        for (path, body) in [
            ("/api/organization", json!({ "name": organization })),
            (&*box_path, json!({ "name": name, "isPublic": publication.public })),
            (&*version_path, json!({ "versionNumber": version })),
            (&*provider_path, json!({ "name": provider })),
            (&*architecture_path, json!({ "name": architecture })),
        ] {
            let reply = self.post(path, &body).await;
            // 409: it was there before
            assert!([201, 409].contains(&reply.status), "POST {path}: {}", reply.text());
        }
    }

    /// Releases the version.
    pub async fn release(&self, publication: &Publication<'_>) {
        let Publication { organization, name, version, .. } = *publication;
        let path = format!("/api/organization/{organization}/box/{name}/version/{version}/release");
        let reply = self.put(&path, &json!({})).await;
        assert_eq!(reply.status, 200, "PUT {path}: {}", reply.text());
    }
}

/// A released file of a box.
#[derive(Debug, Clone, Copy)]
pub struct Publication<'a> {
    /// Whose it is.
    pub organization: &'a str,
    /// The name of the box.
    pub name: &'a str,
    /// The version to release.
    pub version: &'a str,
    /// For which hypervisor.
    pub provider: &'a str,
    /// For which processor.
    pub architecture: &'a str,
    /// Whether everybody may fetch it.
    pub public: bool,
    /// The `.box` file.
    pub file: &'a [u8],
}

impl<'a> Publication<'a> {
    /// Version 1.0.0 of a public box for virtualbox on amd64.
    pub fn new(organization: &'a str, name: &'a str, file: &'a [u8]) -> Self {
        Self {
            organization,
            name,
            version: "1.0.0",
            provider: "virtualbox",
            architecture: "amd64",
            public: true,
            file,
        }
    }

    /// The path of its file under `/api`, such as `…/file` for `…/file/download`.
    pub fn file_path(&self) -> String {
        let Self { organization, name, version, provider, architecture, .. } = self;
        format!(
            "/api/organization/{organization}/box/{name}/version/{version}/provider/{provider}\
             /architecture/{architecture}/file"
        )
    }

    /// The path of its file as stock clients are told it.
    pub fn vagrant_path(&self) -> String {
        let Self { organization, name, version, provider, architecture, .. } = self;
        format!(
            "/{organization}/boxes/{name}/versions/{version}/providers/{provider}/{architecture}\
             /vagrant.box"
        )
    }
}

fn with_headers(request: RequestBuilder, headers: &[(&'static str, &str)]) -> RequestBuilder {
    headers.iter().fold(request, |request, (name, value)| {
        request.header(HeaderName::from_static(name), *value)
    })
}

/// Sends a request that was made by [`Client::request`], with whatever was added to it.
pub async fn send(request: RequestBuilder) -> Reply {
    try_send(request).await.unwrap_or_else(|error| panic!("no answer: {error:?}"))
}

async fn try_send(request: RequestBuilder) -> reqwest::Result<Reply> {
    let (http, request) = request.build_split();
    let request = request?;
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let response = http.execute(request).await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let reply = Reply { status, headers, bytes: response.bytes().await?.to_vec() };
    if let Err(problem) = document::check(&method, &path, &reply) {
        panic!("an answer is not as core/server/openapi.json has it: {problem}");
    }
    if let Err(problem) = reasons::check(&reply) {
        panic!("{method} {path}: {problem}");
    }
    Ok(reply)
}
