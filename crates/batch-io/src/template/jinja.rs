//! Templates with logic, by the engine.

use std::fmt;
use std::io;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, escape_formatter};

use super::names;
use super::row::Row;
use crate::error::{Error, ErrorKind, Position, Result};
use crate::table::Columns;

/// So many instructions may one template take for one record, some tenths of a second: a
/// loop in a loop over a long value must end with an error that names the record, not hang
/// a run.
const FUEL: u64 = 5_000_000;

const SYNTAX_HINT: &str = "write a column whose name is no identifier as {{ row[\"…\"] }}, \
                           and text with {{ or {% in it between {% raw %} and {% endraw %}";

/// A template that the engine runs.
pub(crate) struct Jinja {
    /// With this one template in it.
    environment: Environment<'static>,
    name: String,
    columns: Arc<Columns>,
}

impl Jinja {
    pub(super) fn compile(name: &str, source: &str, columns: Arc<Columns>) -> Result<Self> {
        let mut environment = environment()?;
        environment.add_template_owned(name.to_owned(), source.to_owned()).map_err(|error| {
            let message = match error.line() {
                Some(line) => format!("line {line} of the {name} is not Jinja"),
                None => format!("the {name} is not Jinja"),
            };
            Error::new(ErrorKind::Template, message).with_hint(SYNTAX_HINT).caused_by(error)
        })?;
        let builtins = environment.globals().map(|(name, _)| name.to_owned()).collect();
        let used =
            environment.get_template(name).map(|template| template.undeclared_variables(false)).unwrap_or_default();
        names::check(name, source, &used, &builtins, &columns)?;
        Ok(Self { environment, name: name.to_owned(), columns })
    }

    /// Renders piece by piece into `emit`.
    pub(crate) fn render(&self, row: &Row<'_>, emit: impl FnMut(&str)) -> Result<()> {
        self.environment
            .get_template(&self.name)
            .and_then(|template| template.render_captured_to(row.context(&self.columns), Emit(emit)).map(drop))
            .map_err(|error| self.failed(row, error))
    }

    fn failed(&self, row: &Row<'_>, error: minijinja::Error) -> Error {
        let name = &self.name;
        let message = match (error.kind(), error.line()) {
            (minijinja::ErrorKind::OutOfFuel, _) => format!("the {name} does not come to an end"),
            (_, Some(line)) => format!("the {name} fails in its line {line}"),
            (_, None) => format!("the {name} fails"),
        };
        let failed =
            Error::new(ErrorKind::Template, message).at(Position::default().line(row.record.line()).key(row.key));
        match error.kind() {
            minijinja::ErrorKind::UndefinedError => {
                failed.with_hint("give what may be undefined a value: {{ x | default(\"\") }}").caused_by(error)
            }
            minijinja::ErrorKind::OutOfFuel => {
                failed.with_hint("look for loops in loops over long values").caused_by(error)
            }
            _ => failed.caused_by(error),
        }
    }
}

fn environment() -> Result<Environment<'static>> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    // As in the table and in JSON, not as in Python.
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::Bool => Ok(out.write_str(if value.is_true() { "true" } else { "false" })?),
        // A null of a nested value, as empty as a null column.
        ValueKind::None => Ok(()),
        _ => escape_formatter(out, state, value),
    });
    // Errors read the same in every build.
    environment.set_debug(false);
    environment.set_syntax(syntax_config()?);
    Ok(environment)
}

/// How templates are read.
pub(super) fn syntax_config() -> Result<SyntaxConfig> {
    SyntaxConfig::builder()
        .keep_trailing_newline(true)
        .build()
        .map_err(|error| Error::new(ErrorKind::Template, "the template engine refuses its settings").caused_by(error))
}

impl fmt::Debug for Jinja {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jinja").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The engine writes whole strings, which its interface for writers hides.
struct Emit<F>(F);

impl<F: FnMut(&str)> io::Write for Emit<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
        (self.0)(text);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
