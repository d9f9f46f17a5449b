//! The judge of plugins: one suite, run on both sides of the plugin boundary.
