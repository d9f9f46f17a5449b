//! Who may do what: Casbin policy files behind our own words.
