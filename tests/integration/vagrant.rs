//! Vagrant.
