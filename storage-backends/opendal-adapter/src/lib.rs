//! An OpenDAL operator as a BoxVault storage backend.
