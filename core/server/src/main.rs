//! The program: reads the arguments, does what they ask, and prints one chain of errors.

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use boxvault::{cli, tls};

fn main() -> ExitCode {
    boxvault_transfer::share_heaps();
    tls::install_crypto_provider();
    let cli = cli::Cli::of_process();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, ExitCode::from(cli::EXIT_FAILED)),
    };
    match runtime.block_on(cli::run(cli)) {
        Ok(code) => code,
        Err(error) => fail(&error, error.exit_code()),
    }
}

/// Prints an error and what caused it. Where standard error is gone, there is nobody to tell.
fn fail(error: &dyn Error, code: ExitCode) -> ExitCode {
    let mut output = io::stderr().lock();
    let mut cause = Some(error);
    let mut written = write!(output, "boxvault: ");
    while let Some(error) = cause {
        cause = error.source();
        let separator = if cause.is_some() { ": " } else { "\n" };
        written = written.and_then(|()| write!(output, "{error}{separator}"));
    }
    if written.is_err() {
        return ExitCode::from(cli::EXIT_FAILED);
    }
    code
}
