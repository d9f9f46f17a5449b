//! The list of test modules.
