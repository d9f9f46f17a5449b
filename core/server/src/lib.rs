//! A self-hosted registry for Vagrant boxes.

pub mod cli;
pub mod config;
pub mod data_dir;
pub mod telemetry;
pub mod tls;
