//! The transfer room alone: serves a folder over HTTP, and takes uploads into it.
//!
//! `cargo run --release -p boxvault-transfer --example file_server -- FOLDER HTTP_ADDRESS`
//!
//! No catalog, no policy, no plugin: what it reaches is the most that the server can reach.
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::{io::Write, net::SocketAddr, path::PathBuf, sync::Arc};

use boxvault_transfer::{
    ArchiveLimits, Delivery, FileBody, FileListener, Intake, IntakeOptions, LocalFiles,
    RangeRequest,
};
use futures_util::StreamExt;
use salvo::{
    http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE},
    prelude::*,
};

struct Folder {
    path: PathBuf,
    files: LocalFiles,
}

#[async_trait]
impl Handler for Folder {
    async fn handle(
        &self,
        req: &mut Request,
        _depot: &mut Depot,
        res: &mut Response,
        _flow: &mut FlowCtrl,
    ) {
        let path = self.path.join(req.param::<String>("name").unwrap_or_default());
        let done = match req.method().as_str() {
            "PUT" => upload(req, path).await.map(|text| res.render(text)),
            _ => download(&self.files, req, res, path).await,
        };
        if let Err(error) = done {
            res.status_code(StatusCode::INTERNAL_SERVER_ERROR);
            res.render(error.to_string());
        }
    }
}

type Done<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

async fn download(
    files: &LocalFiles,
    req: &Request,
    res: &mut Response,
    path: PathBuf,
) -> Done<()> {
    let file = files.open(&path).await?;
    let size_bytes = file.size_bytes();
    let delivery = Delivery::of(req.scheme(), req.version());
    let header = req.headers().get(RANGE).and_then(|value| value.to_str().ok());
    let body = match RangeRequest::parse(header, size_bytes) {
        RangeRequest::Single(range) => {
            res.status_code(StatusCode::PARTIAL_CONTENT);
            let content_range = format!("bytes {}-{}/{size_bytes}", range.start, range.end - 1);
            res.headers_mut().insert(CONTENT_RANGE, content_range.parse()?);
            FileBody::range(file, delivery, range)?
        }
        _ => FileBody::whole(file, delivery),
    };
    res.headers_mut().insert(CONTENT_LENGTH, body.remaining_bytes().into());
    res.replace_body(body.into_res_body());
    Ok(())
}

async fn upload(req: &mut Request, path: PathBuf) -> Done<String> {
    let mut file = Arc::new(std::fs::File::create(path)?);
    let options = IntakeOptions {
        declared: None,
        archive: req.query::<String>("box").map(|_| ArchiveLimits::default()),
    };
    let mut intake = Intake::start(&options)?;
    let mut body = req.take_body();
    while let Some(frame) = body.next().await {
        let Ok(chunk) = frame?.into_data() else { continue };
        intake.push(chunk.clone()).await;
        file = tokio::task::spawn_blocking(move || (&*file).write_all(&chunk).map(|()| file))
            .await??;
    }
    let report = intake.finish().await?;
    Ok(format!("{} {}\n", report.digests.sha256_hex(), report.size_bytes))
}

#[tokio::main]
async fn main() -> Done<()> {
    tracing_subscriber::fmt().init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, http] = arguments.as_slice() else {
        return Err("usage: file_server FOLDER HTTP_ADDRESS".into());
    };
    let open_files_max = boxvault_transfer::raise_open_files_limit()?;
    let files = LocalFiles::new();
    let http: SocketAddr = http.parse()?;
    let acceptor = FileListener::new(vec![http]).with_sendfile(&files).listen()?;
    println!("at most {open_files_max} open files; http on {:?}", acceptor.local_addresses());
    let folder = Folder { path: folder.into(), files };
    Server::new(acceptor).serve(Router::with_path("{name}").goal(folder)).await;
    Ok(())
}
