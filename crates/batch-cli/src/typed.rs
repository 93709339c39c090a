//! Only of the command that is typed are the arguments made: those of all twenty were a third of the
//! instructions of a start, and a megabyte of memory.

use std::{cell::RefCell, env, ffi::OsString, ops::Deref};

use clap::{ArgMatches, Args, Command, Error, FromArgMatches, Id, Parser, error::ErrorKind};

use crate::args::Cli;

thread_local! {
    /// What was typed, while only the arguments of that are made.
    static TYPED: RefCell<Option<Vec<OsString>>> = const { RefCell::new(None) };
}

/// What was typed, or the end of the program with what there is to say of it.
pub(crate) fn parse() -> Cli {
    TYPED.set(Some(env::args_os().skip(1).collect()));
    let parsed = Cli::try_parse();
    TYPED.set(None);
    match parsed {
        Ok(cli) => cli,
        Err(version) if version.kind() == ErrorKind::DisplayVersion => version.exit(),
        // Help, and what is said of a mistake, look at all commands.
        Err(_) => Cli::parse(),
    }
}

/// The arguments of a command, made where the command may be the one that is typed.
#[derive(Debug)]
pub(crate) struct Typed<T>(pub(crate) T);

impl<T> Deref for Typed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Whether a word that was typed is the command's name; all are where nobody said what was typed.
fn may_be_typed(command: &Command) -> bool {
    TYPED.with_borrow(|typed| typed.as_ref().is_none_or(|words| words.iter().any(|word| word == command.get_name())))
}

// Out of line: what is not typed is then not in memory either.
#[inline(never)]
fn augment<T: Args>(command: Command) -> Command {
    T::augment_args(command)
}

impl<T: Args> Args for Typed<T> {
    fn group_id() -> Option<Id> {
        T::group_id()
    }

    fn augment_args(command: Command) -> Command {
        if may_be_typed(&command) { augment::<T>(command) } else { command }
    }

    fn augment_args_for_update(command: Command) -> Command {
        T::augment_args_for_update(command)
    }
}

impl<T: FromArgMatches> FromArgMatches for Typed<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches_mut(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn arguments_of(words: &[&str], name: &str) -> usize {
        TYPED.set(Some(words.iter().map(OsString::from).collect()));
        let command = Cli::command();
        TYPED.set(None);
        command.find_subcommand(name).map_or(0, |command| command.get_arguments().count())
    }

    #[test]
    fn only_the_typed_command_has_its_arguments() {
        let words = ["--color", "never", "build", "--input", "t.csv"];
        assert!(10 < arguments_of(&words, "build"));
        assert_eq!(arguments_of(&words, "join"), 0);
        // A value may be called like a command: that costs some memory, and nothing else.
        assert!(10 < arguments_of(&["build", "--input", "join"], "join"));
        let typed = |words: &[&str]| {
            TYPED.set(Some(words.iter().map(OsString::from).collect()));
            let parsed = Cli::try_parse_from([&["batch-cli"], words].concat());
            TYPED.set(None);
            parsed.map(|cli| format!("{cli:?}")).map_err(|error| error.kind())
        };
        let all = |words: &[&str]| Cli::try_parse_from([&["batch-cli"], words].concat()).map(|cli| format!("{cli:?}"));
        for words in [
            &["build", "--input", "t.csv", "--prompt", "{{ text }}", "--output", "o.jsonl"][..],
            &["join", "--input", "t.csv", "--predictions", "p.jsonl", "--output", "join"],
            &["jobs", "list", "-v"],
            &["--verbose", "cache", "--format", "json"],
            &["models"],
        ] {
            assert_eq!(typed(words).unwrap(), all(words).unwrap(), "{words:?}");
        }
        assert_eq!(typed(&["--version"]), Err(ErrorKind::DisplayVersion));
        assert!(typed(&["biuld"]).is_err());
    }

    #[test]
    fn the_arguments_of_all_fit_together() {
        Cli::command().debug_assert();
    }
}
