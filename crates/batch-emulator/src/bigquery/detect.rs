//! Columns guessed from rows of JSON.

use super::csv;
use super::error::Problem;
use super::load::{Format, Line, Source, for_each_line};
use super::schema::{Field, Kind, Mode, Schema};
use crate::json::{Column, Place, Shape, Tree};

/// The columns that take in the rows of all sources. The service looks at a sample, this
/// at every row.
pub(super) fn schema(sources: &[Source], format: &Format) -> Result<Schema, Problem> {
    if let Format::Csv(dialect) = format {
        return match sources.first() {
            Some(source) => csv::detect(source, dialect),
            None => Ok(Schema::default()),
        };
    }
    let mut shape = Shape::default();
    for (number, source) in sources.iter().enumerate() {
        let read = for_each_line(source, |offset, line| {
            let Line::Whole(line) = line else {
                return Ok(());
            };
            // What is no JSON is counted when it is loaded.
            let Some(tree) = std::str::from_utf8(line).ok().and_then(|line| Tree::parse(line).ok()) else {
                return Ok(());
            };
            shape.observe(tree.root(), Place::new(number as u32, offset)).map_err(|mut path| {
                path.reverse();
                source
                    .name(Problem::invalid(format!("Unsupported empty struct type for field '{}'", path.join("."))))
                    .into()
            })
        });
        read.map_err(|failed| failed.result)?;
    }
    if let Some(conflict) = shape.conflict() {
        let problem = Problem::invalid(format!(
            "Error while reading data, error message: JSON parsing error in row starting at position {}: {}",
            conflict.place.offset(),
            conflict.message
        ));
        return Err(match sources.get(conflict.place.file()) {
            Some(source) => source.name(problem),
            None => problem,
        });
    }
    Ok(of_members(shape.members(true)))
}

fn of_members(members: Vec<(String, Column)>) -> Schema {
    Schema(members.into_iter().map(|(name, column)| field(name, column)).collect())
}

fn field(name: String, column: Column) -> Field {
    match column {
        Column::Unknown | Column::Text => Field::nullable(name, Kind::String),
        Column::Integer => Field::nullable(name, Kind::Integer),
        Column::Float => Field::nullable(name, Kind::Float),
        Column::Bool => Field::nullable(name, Kind::Boolean),
        Column::Record(members) => Field { fields: of_members(members), ..Field::nullable(name, Kind::Record) },
        Column::List(items) => Field { mode: Mode::Repeated, ..field(name, *items) },
    }
}
