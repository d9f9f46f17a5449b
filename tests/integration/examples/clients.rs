//! The examples for other people's tools, run with these: Packer, Ansible, and the shell lines of CI jobs.

use std::{fs, path::Path, process::Stdio};

use boxvault_tests::{
    Client, TestServer,
    bytes::{BoxBuilder, BoxFile},
    server::ADMIN_NAME,
    skip, workspace,
};
use serde_json::json;
use tokio::process::Command;

use super::{examples, text};

/// A server with the organization `acme`, a folder with `debian.box`, and what a tool is told of them.
struct Stage {
    server: TestServer,
    admin: Client,
    token: String,
    file: BoxFile,
}

impl Stage {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let admin = server.admin().await;
        let made = admin.post("/api/organization", &json!({ "name": "acme" })).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let token = server.api_token(ADMIN_NAME).await;
        let file = BoxBuilder::new("libvirt").disk_bytes(1 << 20).build();
        let stage = Self { server, admin, token, file };
        write(&stage.folder().join("debian.box"), &stage.file.bytes);
        stage
    }

    fn folder(&self) -> &Path {
        self.server.scratch()
    }

    /// Runs a tool in the folder; panics with what it said unless it succeeded.
    async fn run(&self, program: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder()).stdin(Stdio::null()).kill_on_drop(true);
        command.env("SERVER", self.server.url()).env("TOKEN", &self.token);
        command.env("HOME", self.folder()).envs(variables.iter().copied());
        let output = command.output().await.expect("the tool starts");
        let said = text(&output);
        assert!(output.status.success(), "{said}");
        assert!(!said.contains(&self.token), "the token is not for anybody's log: {said}");
        said
    }

    /// The bytes that everybody gets.
    async fn published(&self, version: &str, provider: &str) -> Vec<u8> {
        let path = format!("/acme/boxes/debian/versions/{version}/providers/{provider}.box");
        let reply = self.server.anonymous().get(&path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.bytes
    }
}

fn write(path: &Path, bytes: &[u8]) {
    let mut file = fs::File::create(path).expect("the folder can be written");
    std::io::Write::write_all(&mut file, bytes).expect("the disk has room");
}

#[tokio::test]
async fn packer_publishes_by_the_template() {
    let Some(packer) = workspace::find_program("packer") else {
        return skip(
            "examples::clients::packer_publishes_by_the_template",
            "packer is not installed",
        );
    };
    let stage = Stage::new().await;
    let new = json!({ "name": "debian", "isPublic": true });
    assert_eq!(stage.admin.post("/api/organization/acme/box", &new).await.status, 201);
    let template = examples().join("packer/vagrant-cloud.json");
    let variables =
        [("CHECKPOINT_DISABLE", "1"), ("PACKER_CONFIG_DIR", stage.folder().to_str().unwrap())];
    // Packer takes the provider from the archive
    let arguments = ["build", "-color=false", "-var", "version=1.2.0", template.to_str().unwrap()];
    stage.run(&packer, &arguments, &variables).await;
    assert!(stage.published("1.2.0", "libvirt").await == stage.file.bytes);
}

#[tokio::test]
async fn ansible_publishes_once_and_fetches_what_it_published() {
    let Some(ansible) = workspace::find_program("ansible-playbook") else {
        return skip(
            "examples::clients::ansible_publishes_once_and_fetches_what_it_published",
            "ansible-core is not installed",
        );
    };
    let stage = Stage::new().await;
    let playbook = |name: &str| examples().join("ansible").join(name).display().to_string();
    let variables =
        [("ANSIBLE_NOCOLOR", "1"), ("ANSIBLE_LOCALHOST_WARNING", "false"), ("LC_ALL", "C.UTF-8")];
    let file = format!("file={}", stage.folder().join("debian.box").display());
    let publish = [playbook("publish.yml"), "-e".to_owned(), file];
    let publish: Vec<_> = publish.iter().map(String::as_str).collect();
    let first = stage.run(&ansible, &publish, &variables).await;
    assert!(first.contains("failed=0") && !first.contains("changed=0"), "{first}");
    assert!(stage.published("1.0.0", "libvirt").await == stage.file.bytes);
    let second = stage.run(&ansible, &publish, &variables).await;
    assert!(second.contains("changed=0"), "what is there is not sent again: {second}");

    let into = stage.folder().join("fetched.box");
    let fetch = [playbook("fetch.yml"), "-e".to_owned(), format!("dest={}", into.display())];
    let fetch: Vec<_> = fetch.iter().map(String::as_str).collect();
    stage.run(&ansible, &fetch, &variables).await;
    assert!(tokio::fs::read(&into).await.unwrap() == stage.file.bytes);
    let again = stage.run(&ansible, &fetch, &variables).await;
    assert!(again.contains("changed=0"), "{again}");
}

/// The shell lines of the steps of a job, by a reader of YAML that is none of ours.
async fn lines(test: &str, file: &str, expression: &str) -> Option<String> {
    let script = format!(
        "import sys, yaml\njob = yaml.safe_load(open(sys.argv[1]))\nprint('\\n'.join({expression}))"
    );
    let path = examples().join("ci").join(file);
    let python = workspace::find_program("python3")?;
    let output = Command::new(python).args(["-c", &script]).arg(path).output().await.unwrap();
    if text(&output).contains("No module named 'yaml'") {
        skip(&format!("examples::clients::{test}"), "python3-yaml is not installed");
        return None;
    }
    assert!(output.status.success(), "{}", text(&output));
    Some(text(&output))
}

async fn run_job(lines: &str, tag: &str) {
    let stage = Stage::new().await;
    fs::create_dir(stage.folder().join("ci")).unwrap();
    fs::copy(examples().join("curl/publish.sh"), stage.folder().join("ci/publish.sh")).unwrap();
    let bash = workspace::find_program("bash").expect("there is bash");
    let variables = [(tag, "v1.3.0"), ("BOX", "acme/debian")];
    stage.run(&bash, &["-euo", "pipefail", "-c", lines], &variables).await;
    let built = tokio::fs::read(stage.folder().join("debian.box")).await.unwrap();
    assert!(built != stage.file.bytes, "the job builds its own");
    assert!(stage.published("1.3.0", "libvirt").await == built);
}

#[tokio::test]
async fn the_steps_of_the_github_job_publish_and_fetch() {
    let test = "the_steps_of_the_github_job_publish_and_fetch";
    let steps = "step['run'] for step in job['jobs']['publish']['steps'] if 'run' in step";
    if let Some(lines) = lines(test, "github-actions.yml", steps).await {
        assert!(lines.contains("publish.sh"), "{lines}");
        run_job(&lines, "GITHUB_REF_NAME").await;
    }
}

#[tokio::test]
async fn the_script_of_the_gitlab_job_publishes_and_fetches() {
    let test = "the_script_of_the_gitlab_job_publishes_and_fetches";
    let steps = "job['publish-box']['before_script'] + job['publish-box']['script']";
    if let Some(lines) = lines(test, "gitlab-ci.yml", steps).await {
        assert!(lines.contains("publish.sh"), "{lines}");
        run_job(&lines, "CI_COMMIT_TAG").await;
    }
}
