//! A self-hosted registry for Vagrant boxes: the program, as a library for its tests.
//!
//! Module map: [`config`] and [`cli`] are how it is told what to do; [`startup`] builds the [`app::App`] from the other
//! rooms and serves it; `app/` is what BoxVault does, without HTTP and SQL; `http/` is what it says. Imports go
//! `http → app → rooms`, never back.
#![forbid(unsafe_code)]

pub mod app;
pub mod cli;
pub mod config;
pub mod data_dir;
pub mod error;
pub mod http;
mod language;
pub mod mail;
mod metrics;
pub mod startup;
pub mod telemetry;
pub mod tls;
mod upstream;
