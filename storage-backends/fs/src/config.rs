//! The keys of the fs backend.

use std::path::PathBuf;

use boxvault_plugin_sdk::{
    PluginError, Result,
    schemars::{self, JsonSchema},
    serde::Deserialize,
};

const CHUNK_BYTES_MIN: usize = 4 << 10;
const CHUNK_BYTES_MAX: usize = 64 << 20;

/// The fs backend's table in the configuration.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde", deny_unknown_fields)]
pub struct Config {
    /// The folder that holds the objects; made if it is not there. Nothing else may write to it.
    pub root: PathBuf,
    /// How much is read at once, in bytes: 4 KiB to 64 MiB. Three such chunks are in memory for
    /// each open reader.
    #[serde(default = "read_chunk_bytes")]
    #[schemars(range(min = 4096, max = 67_108_864))]
    pub read_chunk_bytes: usize,
    /// How much is collected while what came before is written, in bytes: 4 KiB to 64 MiB. Two such
    /// batches are in memory for each open writer.
    #[serde(default = "write_chunk_bytes")]
    #[schemars(range(min = 4096, max = 67_108_864))]
    pub write_chunk_bytes: usize,
}

const fn read_chunk_bytes() -> usize {
    1 << 20
}

/// 64 uploads at once then hold some 100 MiB when the disk is the slower side.
const fn write_chunk_bytes() -> usize {
    256 << 10
}

impl Config {
    /// Checks what the types do not.
    pub(crate) fn check(&self) -> Result<()> {
        if self.root.as_os_str().is_empty() {
            return Err(PluginError::invalid_config("root: it is empty"));
        }
        for (key, bytes) in [
            ("read_chunk_bytes", self.read_chunk_bytes),
            ("write_chunk_bytes", self.write_chunk_bytes),
        ] {
            if !(CHUNK_BYTES_MIN..=CHUNK_BYTES_MAX).contains(&bytes) {
                let message = format!("{key}: {bytes} is not between 4 KiB and 64 MiB");
                return Err(PluginError::invalid_config(message));
            }
        }
        Ok(())
    }
}
