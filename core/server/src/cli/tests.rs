//! The command line as somebody types it.

use clap::error::ErrorKind;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_teaches_by_an_example() {
    fn walk(command: &clap::Command) {
        let name = command.get_name();
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            assert!(inner.get_about().is_some(), "{name} {} has no text", inner.get_name());
            if inner.has_subcommands() {
                walk(inner);
                continue;
            }
            let help = inner.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("boxvault"), "{name} {} has no example", inner.get_name());
        }
    }
    walk(&Cli::command());
    let help = Cli::command().render_help().to_string();
    assert!(help.contains("Exit codes: 0"), "{help}");
}

#[test]
fn arguments_stand_before_and_after_the_command_and_become_settings() {
    let cli = parse("boxvault --bind 0.0.0.0 config show --set log.filter=debug,a=b --data-dir d");
    let settings: Vec<String> = cli
        .unwrap()
        .options
        .settings()
        .iter()
        .map(|setting| format!("{} {}={}", setting.argument, setting.key, setting.value))
        .collect();
    assert_eq!(
        settings,
        [
            "--set log.filter=debug,a=b",
            "--data-dir server.data_dir=d",
            "--bind server.bind=0.0.0.0"
        ]
    );
}

#[test]
fn mistakes_are_usage_errors() {
    for line in ["boxvault --set nonsense config check", "boxvault confg", "boxvault config"] {
        let error = parse(line).unwrap_err();
        let help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        assert!(help || error.exit_code() == i32::from(EXIT_USAGE), "{line}: {error}");
    }
}

#[test]
fn a_wrong_configuration_and_a_failure_end_differently() {
    let config = CliError::Config(ConfigError { problems: Vec::new() });
    let output = CliError::Output(io::Error::other("disk full"));
    assert_eq!(format!("{:?}", config.exit_code()), format!("{:?}", ExitCode::from(EXIT_USAGE)));
    assert_eq!(format!("{:?}", output.exit_code()), format!("{:?}", ExitCode::from(EXIT_FAILED)));
}
