//! Loads plugin libraries and hands back safe traits. The only host-side unsafe code for plugins.
