//! The memory storage backend of BoxVault, as a plugin library.
