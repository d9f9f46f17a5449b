//! What the plugin boundary costs an upload to S3: the same bytes through the library and by OpenDAL itself, in turns.
//!
//! `cargo run --release -p boxvault-tests --example upload_speed -- PLUGIN ENDPOINT REGION BUCKET ACCESS_KEY_ID MIB ROUNDS`,
//! with the secret key as its input.
//!
//! Prints one line of JSON: the seconds of each round, of both, and the most memory that the program had, in MiB. Both
//! send parts of the same length, as many at a time; neither hashes. The first round does not count.
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::{error::Error, fs, io, time::Instant};

use boxvault_plugin_host::{HostOptions, PluginHost};
use boxvault_plugin_sdk::{Bytes, StorageBackend, WriteOptions};
use boxvault_storage_opendal::{HttpOptions, OperationContext, Operator, http_transport, services};
use serde_json::json;

const MIB: usize = 1 << 20;
/// The plugin's defaults.
const PART_BYTES: usize = 8 * MIB;
const PARTS_CONCURRENT: usize = 2;
/// As long as the pieces in which a body comes from a socket.
const CHUNK_BYTES: usize = 256 << 10;

type Done<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Where both write to.
struct Bucket {
    endpoint: String,
    region: String,
    name: String,
    access_key_id: String,
    secret_access_key: String,
}

impl Bucket {
    async fn store(&self, plugin: &str) -> Done<impl StorageBackend> {
        let config = json!({
            "endpoint": self.endpoint,
            "bucket": self.name,
            "region": self.region,
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key,
            "part_bytes": PART_BYTES,
            "parts_concurrent": PARTS_CONCURRENT,
        });
        Ok(PluginHost::new(HostOptions::default()).open_storage(plugin, config).await?)
    }

    fn operator(&self) -> Done<Operator> {
        let service = services::S3::default()
            .endpoint(&self.endpoint)
            .bucket(&self.name)
            .region(&self.region)
            .access_key_id(&self.access_key_id)
            .secret_access_key(&self.secret_access_key)
            .disable_config_load();
        let transport = http_transport(&HttpOptions { silence_timeout: None, ca_file: None })?;
        let context = OperationContext::new().with_http_transport(transport);
        Ok(Operator::new(service)?.with_context(context))
    }
}

async fn through_the_library(store: &impl StorageBackend, chunk: &Bytes, count: usize) -> Done<()> {
    let length = (chunk.len() * count) as u64;
    let mut writer =
        store.open_writer("library", WriteOptions::with_size_hint(Some(length))).await?;
    for _ in 0..count {
        writer.write(chunk.clone()).await?;
    }
    let written = writer.finish().await?.size;
    if written != length {
        return Err(format!("{written} of {length} bytes were written").into());
    }
    Ok(())
}

async fn by_opendal(operator: &Operator, chunk: &Bytes, count: usize) -> Done<()> {
    let options = operator.writer_with("direct").chunk(PART_BYTES).concurrent(PARTS_CONCURRENT);
    let mut writer = options.await?;
    for _ in 0..count {
        writer.write(chunk.clone()).await?;
    }
    writer.close().await?;
    Ok(())
}

/// The most memory that this program has had so far.
fn peak_mib() -> Done<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}

#[tokio::main]
async fn main() -> Done<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [plugin, endpoint, region, name, access_key_id, mib, rounds] = arguments.as_slice() else {
        return Err(
            "usage: upload_speed PLUGIN ENDPOINT REGION BUCKET ACCESS_KEY_ID MIB ROUNDS".into()
        );
    };
    let bucket = Bucket {
        endpoint: endpoint.clone(),
        region: region.clone(),
        name: name.clone(),
        access_key_id: access_key_id.clone(),
        secret_access_key: io::read_to_string(io::stdin())?.trim().to_owned(),
    };
    let (store, operator) = (bucket.store(plugin).await?, bucket.operator()?);
    let chunk = Bytes::from(vec![0x5a; CHUNK_BYTES]);
    let (count, rounds) = (mib.parse::<usize>()? * MIB / CHUNK_BYTES, rounds.parse::<usize>()?);
    let (mut library, mut direct) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let began = Instant::now();
        through_the_library(&store, &chunk, count).await?;
        let between = Instant::now();
        by_opendal(&operator, &chunk, count).await?;
        if round > 0 {
            library.push((between - began).as_secs_f64());
            direct.push(between.elapsed().as_secs_f64());
        }
    }
    println!("{}", json!({ "library_s": library, "opendal_s": direct, "peak_mib": peak_mib()? }));
    Ok(())
}
