//! The recordings, as they are read.
//!
//! A scene begins with `===`. An exchange is a line with method and path, headers, `> ` and the body; then the status with
//! the type, and `< ` with the body of the answer.

use serde_json::Value;

/// A request, and what was answered.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub(super) scene: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<String>,
    pub(super) status: u16,
    /// The type of the answer.
    pub(super) kind: Option<String>,
    pub(super) answer: Option<Value>,
}

impl Exchange {
    /// The body; of a box that is made without a word on who may see it, with the word that the recorded server took for
    /// said. Here such a box is private.
    pub(super) fn said(&self) -> Option<String> {
        let body = self.body.as_deref()?;
        if self.method != "POST"
            || !self.path.starts_with("/api/")
            || !self.path.ends_with("/boxes")
        {
            return Some(body.to_owned());
        }
        let mut said: Value = serde_json::from_str(body).expect("JSON");
        let is_nested = said.get("box").is_some();
        let of_box = if is_nested { said.get_mut("box") } else { Some(&mut said) };
        let of_box = of_box.and_then(Value::as_object_mut).expect("an object");
        of_box.entry("is_private").or_insert(Value::Bool(false));
        Some(said.to_string())
    }

    /// The same without the address of a file elsewhere and its checksum, if it has one: files lie here alone.
    pub(super) fn without_place_elsewhere(&self) -> Option<Self> {
        let mut body: Value = serde_json::from_str(self.body.as_deref()?).ok()?;
        let (noun, key) = if body.get("box_data").is_some() {
            ("box_data", "download_url")
        } else {
            ("provider", "url")
        };
        let noun = body.get_mut(noun)?.as_object_mut()?;
        noun.get(key)?.as_str()?;
        noun.insert(key.to_owned(), Value::Null);
        noun.remove("checksum");
        let mut answer = self.answer.clone();
        // what the client learns of the file elsewhere it cannot learn here
        for key in ["hosted", "original_url", "checksum", "checksum_type"] {
            if let Some(answer) = answer.as_mut().and_then(Value::as_object_mut) {
                answer.remove(key);
            }
        }
        if let Some(data) =
            answer.as_mut().and_then(|answer| answer.pointer_mut("/architecture/box_data"))
        {
            *data = Value::Null;
        }
        Some(Self { body: Some(body.to_string()), answer, ..self.clone() })
    }
}

pub(super) fn parse(recording: &str) -> Vec<Exchange> {
    let mut scene = String::new();
    let mut all = Vec::new();
    for block in recording.split("\n\n") {
        let mut lines: Vec<&str> = block.lines().filter(|line| !line.starts_with('#')).collect();
        if let Some(title) = lines.first().and_then(|line| line.strip_prefix("=== ")) {
            title.clone_into(&mut scene);
            lines.remove(0);
        }
        if !lines.is_empty() {
            all.push(exchange(&scene, &lines));
        }
    }
    all
}

fn exchange(scene: &str, lines: &[&str]) -> Exchange {
    let (first, lines) = lines.split_first().expect("a first line");
    let (method, path) = first.split_once(' ').expect("method and path");
    let is_status = |line: &&str| line.starts_with(|first: char| first.is_ascii_digit());
    let end = lines.iter().position(is_status).expect("a status");
    let (headers, answer) = lines.split_at(end);
    let headers = headers.iter().filter(|line| !line.starts_with("> "));
    let headers = headers.map(|line| line.split_once(": ").expect("a header"));
    let status = answer.first().expect("a status");
    let (status, kind) = match status.split_once(' ') {
        Some((status, kind)) => (status, Some(kind.to_owned())),
        None => (*status, None),
    };
    let after = |mark: &str| lines.iter().find_map(|line| line.strip_prefix(mark));
    Exchange {
        scene: scene.to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        body: after("> ").map(ToOwned::to_owned),
        status: status.parse().expect("a number"),
        kind,
        answer: after("< ").map(|text| serde_json::from_str(text).expect("JSON")),
    }
}
