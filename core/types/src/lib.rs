//! The nouns of BoxVault: names, ids, identity, actions, request and response bodies. No I/O.
