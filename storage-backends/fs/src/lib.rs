//! The fs storage backend of BoxVault, as a plugin library.
