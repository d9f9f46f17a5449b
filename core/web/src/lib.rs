//! The web page as files embedded into the program.
