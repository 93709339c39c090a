//! The first program of `docs/guide/compose.md`: the request lines of a table.
#![allow(clippy::print_stderr, reason = "it is a program")]

use batch_io::{KeySpec, RequestSpec, RequestTemplate, Table, TableFormat};
use batch_model::GenerationConfig;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::fs::File::open(std::env::args().nth(1).ok_or("name a CSV with a column `text`")?)?;
    let table = Table::new(file, "the table", TableFormat::CSV)?;
    let mut spec = RequestSpec::new("{{ text }}");
    spec.system = Some("Is it good or bad?".to_owned());
    spec.generation_config = Some(serde_json::to_value(GenerationConfig::default().with_json_enum(["good", "bad"]))?);
    let template = RequestTemplate::compile(&spec, table.columns())?;
    let built = batch_io::build(table, &template, &KeySpec::Index, std::io::stdout())?;
    eprintln!("{} request lines", built.records);
    Ok(())
}
