//! A fresh database per test.
