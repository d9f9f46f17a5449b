//! Has the crate built anew when the interface was.
//!
//! An empty `dist/` stands for an interface that was not built: to Cargo a missing folder has changed each time.

use std::{fs, path::Path};

fn main() {
    let built = Path::new("dist");
    if !built.exists() {
        // sources that cannot be written are built each time, and well
        drop(fs::create_dir(built));
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=dist");
}
