//! `batch-cli models`: what is known of the models, and as of when.

use std::fmt::Write as _;

use batch_model::{models, prices};
use serde_json::json;

use crate::{
    args::{Format, ModelsArgs},
    exit::Exit,
    failure::{Failure, Result},
    terminal::{Terminal, left, right, width},
};

pub(crate) fn models(args: &ModelsArgs, terminal: &Terminal) -> Result<Exit> {
    let text = match args.format {
        Format::Text => text(),
        Format::Json => {
            let value = json!({
                "version": 1,
                "models": { "as_of": models::AS_OF, "list": models::all() },
                "prices": { "as_of": prices::AS_OF, "usd_per_million_tokens": prices::all() },
            });
            format!("{value:#}\n")
        }
    };
    terminal.write(text.as_bytes()).map_err(|error| Failure::caused("write the list", error))?;
    Ok(Exit::Done)
}

fn text() -> String {
    let known = |fact: Option<bool>| fact.map_or("?", |yes| if yes { "yes" } else { "no" });
    let price = |price: Option<f64>| price.map_or_else(|| "?".to_owned(), |usd| usd.to_string());
    let mut rows = vec![["model", "batch", "global", "stage", "retired", "USD in", "USD out"].map(str::to_owned)];
    for model in models::all() {
        let rates = prices::all().iter().find(|price| price.model == model.id).map(|price| price.base);
        let stage = model.stage.and_then(|stage| serde_json::to_value(stage).ok());
        rows.push([
            model.id.clone(),
            known(model.batch).to_owned(),
            known(model.global).to_owned(),
            stage.as_ref().and_then(|stage| stage.as_str()).unwrap_or("?").to_owned(),
            model.retired.clone().unwrap_or_default(),
            price(rates.and_then(|rates| rates.batch_input)),
            price(rates.and_then(|rates| rates.batch_output)),
        ]);
    }
    let widths: Vec<usize> =
        (0..rows[0].len()).map(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).enumerate();
        let line: Vec<String> =
            cells.map(|(i, (cell, width))| if i < 5 { left(cell, *width) } else { right(cell, *width) }).collect();
        let _ = writeln!(out, "{}", line.join("  ").trim_end());
    }
    let _ = writeln!(
        out,
        "\nmodels as of {}, batch prices a million tokens as of {}; ? is unknown",
        models::AS_OF,
        prices::AS_OF
    );
    out
}
