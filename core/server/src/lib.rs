//! A self-hosted registry for Vagrant boxes.

pub mod config;
