//! Request bodies and queries, one module per noun.
