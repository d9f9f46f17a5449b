//! The keys of the memory backend: there are none.

use boxvault_plugin_sdk::{
    schemars::{self, JsonSchema},
    serde::Deserialize,
};

/// The memory backend's table in the configuration; it is empty.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde", deny_unknown_fields)]
pub struct Config {}
