//! A self-hosted registry for Vagrant boxes.
