//! Response bodies, one module per noun.
