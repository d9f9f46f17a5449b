//! What a BoxVault plugin is written against: safe traits over a C table.
