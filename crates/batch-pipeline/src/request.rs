//! From the spec's `[request]` to what `batch-io` builds requests from.

use batch_io::{FilePart, MimeType, RequestSpec as IoRequestSpec, Turn};
use serde_json::Value;

use crate::{Error, Kind, Result, Spec};

/// What `batch-io` builds the requests of this spec from.
///
/// # Errors
/// The spec has no prompt.
pub fn request_spec(spec: &Spec) -> Result<IoRequestSpec> {
    let request = &spec.request;
    if request.prompt.is_empty() {
        let error = Error::new(Kind::Spec, "there is no prompt");
        return Err(error.with_hint("write `prompt = \"{{ column }}\"` under [request], or pass --prompt"));
    }
    let labels =
        request.labels.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
    let turns = request.turns.iter().map(|turn| Ok(Turn::new(turn.role.parse()?, &turn.template)));
    let turns: batch_io::Result<Vec<_>> = turns.collect();
    let files = request.files.iter().map(|file| {
        let mime_type = match (&file.mime_type, &file.mime_type_column) {
            (_, Some(column)) => MimeType::Column(column.clone()),
            (fixed, None) => MimeType::Fixed(fixed.clone().unwrap_or_default()),
        };
        FilePart::new(&file.column, mime_type)
    });
    let mut io = IoRequestSpec::new(&request.prompt);
    io.system.clone_from(&request.system);
    io.turns = turns.map_err(|error| Error::new(Kind::Spec, "[[request.turns]]").with_source(error))?;
    io.generation_config = request.generation_config.clone().map(Value::Object);
    io.labels = labels.collect();
    io.safety_settings.clone_from(&request.safety_settings);
    io.tools.clone_from(&request.tools);
    io.tool_config.clone_from(&request.tool_config);
    io.files = files.collect();
    io.columns.clone_from(&request.columns);
    Ok(io)
}
