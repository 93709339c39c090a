//! A request spec compiled for a table: one line of constant bytes with holes in it.

use serde_json::Value;

use super::label;
use super::spec::{FilePart, MimeType, RequestSpec};
use crate::error::{Error, ErrorKind, Position, Result};
use crate::escape::push_escaped;
use crate::page::Page;
use crate::suggest;
use crate::table::{Columns, Record};
use crate::template::{Jinja, Piece, Row, Template};

/// Fields of the request that have a setting of their own, as the service spells them.
const OWN_FIELDS: [&str; 7] =
    ["contents", "systemInstruction", "generationConfig", "safetySettings", "tools", "toolConfig", "labels"];

/// Names beside `request` that are ours or the service's, so that no column may have them.
const RESERVED_COLUMNS: [&str; 5] = ["key", "request", "response", "status", "processed_time"];

/// A [`RequestSpec`] compiled for the columns of one table: renders a record into its
/// request line.
///
/// A line is compact JSON with its keys always in one order: `key`, `request`, then the
/// pass-through columns as strings. Within the request: `contents` (the earlier turns,
/// then the user's, whose parts are the prompt's text and then the files),
/// `systemInstruction`, `generationConfig`, `safetySettings`, `tools`, `toolConfig`,
/// `labels`, and other fields as the spec has them. A field that the spec leaves out, or
/// gives as `null` or empty, is not there. Text is escaped only where JSON requires it.
///
/// All that is the same in every line is rendered once, here. A line then costs a copy of
/// it and of the record's values; templates with logic take the engine's time.
#[derive(Debug)]
pub struct RequestTemplate {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    /// Bytes of every line.
    Constant(Vec<u8>),
    /// The value of the column at this position, as the inside of a string.
    Column(usize),
    Index,
    Key,
    Jinja(Box<Jinja>),
    /// Like [`Column`](Self::Column), but refused where it can be no file's.
    FileUri {
        position: usize,
        name: String,
    },
    MimeType {
        position: usize,
        name: String,
    },
}

impl RequestTemplate {
    /// Compiles all templates of a spec and puts the line together.
    ///
    /// # Errors
    /// Those of [`Template::compile`]; [`ErrorKind::UnknownColumn`] for any other column
    /// that the table does not have; [`ErrorKind::Setting`] for a label name that the
    /// service refuses, a reserved or repeated pass-through column, and JSON of another
    /// type than the field's.
    pub fn compile(spec: &RequestSpec, columns: &Columns) -> Result<Self> {
        let mut line = Line::<Part>::new(columns);
        line.raw("{\"key\":\"");
        line.hole(Part::Key);
        line.raw("\",\"request\":");
        line.request(spec)?;
        line.pass_through(&spec.columns)?;
        line.raw("}\n");
        Ok(Self { parts: line.finish() })
    }

    /// Appends the request line of a record, line feed included; of a record that fails,
    /// nothing. The record must be of the table that this was compiled for.
    ///
    /// # Errors
    /// [`ErrorKind::Template`] when a template fails on this record's values, and
    /// [`ErrorKind::FilePart`] for a URI that can be none; with the line and the key, and
    /// without the file, which is not known here.
    pub fn render(&self, record: &Record, key: &str, out: &mut Vec<u8>) -> Result<()> {
        let mut page = Page::from_vec(std::mem::take(out));
        let rendered = self.render_to(record, key, &mut page);
        *out = page.into_vec();
        rendered
    }

    /// Whether a template in it is run by the engine.
    pub(super) fn has_logic(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Jinja(_)))
    }

    /// The same to where more lines go.
    pub(super) fn render_to(&self, record: &Record, key: &str, out: &mut Page) -> Result<()> {
        let before = out.len();
        let rendered = self.render_parts(&Row::new(record, key), out);
        if rendered.is_err() {
            out.truncate(before);
        }
        rendered
    }

    fn render_parts(&self, row: &Row<'_>, out: &mut Page) -> Result<()> {
        for part in &self.parts {
            match part {
                Part::Constant(bytes) => out.push(bytes),
                Part::Column(position) => row.record.push_escaped(*position, out),
                Part::Index => out.push(itoa::Buffer::new().format(row.record.index()).as_bytes()),
                Part::Key => push_escaped(row.key, out),
                Part::Jinja(jinja) => jinja.render(row, |text| push_escaped(text, out))?,
                Part::FileUri { position, name } => {
                    let uri = row.record.get(*position);
                    check_file_uri(uri).map_err(|error| error.at(place(row, name)))?;
                    push_escaped(uri, out);
                }
                Part::MimeType { position, name } => {
                    let mime_type = row.record.get(*position);
                    if mime_type.is_empty() {
                        return Err(Error::new(ErrorKind::FilePart, "the MIME type of the file is empty")
                            .at(place(row, name))
                            .with_hint("fill it in: the service refuses a file without one"));
                    }
                    push_escaped(mime_type, out);
                }
            }
        }
        Ok(())
    }
}

fn place(row: &Row<'_>, column: &str) -> Position {
    Position::default().line(row.record.line()).column(column).key(row.key)
}

fn check_file_uri(uri: &str) -> Result<()> {
    let rest = uri.strip_prefix("gs://").or_else(|| uri.strip_prefix("https://"));
    if rest.is_some_and(|rest| !rest.is_empty()) {
        return Ok(());
    }
    let message = match uri {
        "" => "the URI of the file is empty".to_owned(),
        _ => format!("the service reads no file from {uri:?}"),
    };
    Err(Error::new(ErrorKind::FilePart, message).with_hint("a file is at gs://BUCKET/OBJECT, or public at https://…"))
}

fn check_other_field(name: &str) -> Result<()> {
    let plain = |name: &str| name.replace('_', "").to_ascii_lowercase();
    match OWN_FIELDS.into_iter().find(|own| plain(own) == plain(name)) {
        Some(own) => Err(Error::new(
            ErrorKind::Setting,
            format!("the request's field {name:?} cannot be given here: {own:?} has a setting of its own"),
        )),
        None => Ok(()),
    }
}

/// What a field of the request must be.
#[derive(Clone, Copy)]
enum JsonType {
    Object,
    Array,
    Any,
}

impl JsonType {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
            Self::Any => true,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::Any => "JSON",
        }
    }
}

/// What stands where a line differs from record to record, always inside of a JSON string.
pub(super) trait Hole: Sized {
    /// Bytes of every line.
    fn constant(json: Vec<u8>) -> Self;
    /// What a template makes.
    fn template(name: &str, source: &str, columns: &Columns) -> Result<Vec<Filling<Self>>>;
    fn file_uri(position: usize, name: &str) -> Self;
    fn mime_type(position: usize, name: &str) -> Self;
}

/// A piece of what a template makes.
pub(super) enum Filling<H> {
    Text(String),
    Hole(H),
}

impl Hole for Part {
    fn constant(json: Vec<u8>) -> Self {
        Self::Constant(json)
    }

    fn template(name: &str, source: &str, columns: &Columns) -> Result<Vec<Filling<Self>>> {
        let pieces = match Template::compile(name, source, columns)?.into_pieces() {
            Ok(pieces) => pieces,
            Err(jinja) => return Ok(vec![Filling::Hole(Self::Jinja(jinja))]),
        };
        let filling = |piece| match piece {
            Piece::Text(text) => Filling::Text(text),
            Piece::Column(position) => Filling::Hole(Self::Column(position)),
            Piece::Index => Filling::Hole(Self::Index),
            Piece::Key => Filling::Hole(Self::Key),
        };
        Ok(pieces.into_iter().map(filling).collect())
    }

    fn file_uri(position: usize, name: &str) -> Self {
        Self::FileUri { position, name: name.to_owned() }
    }

    fn mime_type(position: usize, name: &str) -> Self {
        Self::MimeType { position, name: name.to_owned() }
    }
}

/// A line that is being put together.
pub(super) struct Line<'a, H> {
    columns: &'a Columns,
    /// Constant bytes behind the last part.
    constant: Vec<u8>,
    parts: Vec<H>,
}

impl<'a, H: Hole> Line<'a, H> {
    pub(super) fn new(columns: &'a Columns) -> Self {
        Self { columns, constant: Vec::new(), parts: Vec::new() }
    }

    pub(super) fn finish(mut self) -> Vec<H> {
        self.end_constant();
        self.parts
    }

    /// The request alone, from brace to brace.
    pub(super) fn request(&mut self, spec: &RequestSpec) -> Result<()> {
        self.raw("{\"contents\":[");
        for (number, turn) in spec.turns.iter().enumerate() {
            self.raw("{\"role\":\"");
            self.raw(turn.role.as_str());
            self.raw("\",\"parts\":[{\"text\":\"");
            self.template(&format!("template of turn {}", number + 1), &turn.template)?;
            self.raw("\"}]},");
        }
        self.raw("{\"role\":\"user\",\"parts\":[{\"text\":\"");
        self.template("prompt template", &spec.prompt)?;
        self.raw("\"}");
        for file in &spec.files {
            self.file(file)?;
        }
        self.raw("]}]");
        if let Some(system) = &spec.system {
            self.raw(",\"systemInstruction\":{\"parts\":[{\"text\":\"");
            self.template("system template", system)?;
            self.raw("\"}]}");
        }
        self.field("generationConfig", spec.generation_config.as_ref(), JsonType::Object)?;
        self.field("safetySettings", spec.safety_settings.as_ref(), JsonType::Array)?;
        self.field("tools", spec.tools.as_ref(), JsonType::Array)?;
        self.field("toolConfig", spec.tool_config.as_ref(), JsonType::Object)?;
        self.labels(&spec.labels)?;
        for (name, value) in &spec.fields {
            check_other_field(name)?;
            self.field(name, Some(value), JsonType::Any)?;
        }
        self.raw("}");
        Ok(())
    }

    fn raw(&mut self, json: &str) {
        self.constant.extend_from_slice(json.as_bytes());
    }

    fn text(&mut self, text: &str) {
        let mut constant = Page::from_vec(std::mem::take(&mut self.constant));
        push_escaped(text, &mut constant);
        self.constant = constant.into_vec();
    }

    fn hole(&mut self, hole: H) {
        self.end_constant();
        self.parts.push(hole);
    }

    fn end_constant(&mut self) {
        if !self.constant.is_empty() {
            self.parts.push(H::constant(std::mem::take(&mut self.constant)));
        }
    }

    fn template(&mut self, name: &str, source: &str) -> Result<()> {
        let fillings = H::template(name, source, self.columns)?;
        self.fill(fillings);
        Ok(())
    }

    fn fill(&mut self, fillings: Vec<Filling<H>>) {
        for filling in fillings {
            match filling {
                Filling::Text(text) => self.text(&text),
                Filling::Hole(hole) => self.hole(hole),
            }
        }
    }

    /// `place` says where the column is named.
    fn position(&self, column: &str, place: &str) -> Result<usize> {
        self.columns.position(column).ok_or_else(|| suggest::unknown_column(column, place, self.columns))
    }

    fn file(&mut self, file: &FilePart) -> Result<()> {
        let position = self.position(&file.column, "for a file's URI")?;
        self.raw(",{\"fileData\":{\"fileUri\":\"");
        self.hole(H::file_uri(position, &file.column));
        self.raw("\",\"mimeType\":\"");
        match &file.mime_type {
            MimeType::Fixed(mime_type) => self.text(mime_type),
            MimeType::Column(name) => {
                let position = self.position(name, "for a file's MIME type")?;
                self.hole(H::mime_type(position, name));
            }
        }
        self.raw("\"}}");
        Ok(())
    }

    /// A field of the request that is the same in all; left out where it says nothing.
    fn field(&mut self, name: &str, value: Option<&Value>, json_type: JsonType) -> Result<()> {
        let Some(value) = value.filter(|value| !is_empty(value)) else { return Ok(()) };
        if !json_type.fits(value) {
            let json_type = json_type.name();
            return Err(Error::new(ErrorKind::Setting, format!("{name} is not {json_type}"))
                .with_hint(format!("give {name} as {json_type}, as the API has it")));
        }
        self.raw(",\"");
        self.text(name);
        self.raw("\":");
        serde_json::to_writer(&mut self.constant, value)
            .map_err(|error| Error::new(ErrorKind::Setting, format!("{name} is not JSON")).caused_by(error))
    }

    fn labels(&mut self, labels: &[(String, String)]) -> Result<()> {
        label::check_count(labels.len())?;
        for (number, (name, source)) in labels.iter().enumerate() {
            label::check_name(name)?;
            if labels[..number].iter().any(|(before, _)| before == name) {
                return Err(Error::new(ErrorKind::Setting, format!("label {name:?} is given twice")));
            }
            self.raw(if number == 0 { ",\"labels\":{\"" } else { ",\"" });
            self.text(name);
            self.raw("\":\"");
            let fillings = H::template(&format!("template of label {name:?}"), source, self.columns)?;
            match fillings.as_slice() {
                [] => label::check_value(name, "")?,
                [Filling::Text(value)] => label::check_value(name, value)?,
                _ => {}
            }
            self.fill(fillings);
            self.raw("\"");
        }
        if !labels.is_empty() {
            self.raw("}");
        }
        Ok(())
    }
}

impl Line<'_, Part> {
    fn pass_through(&mut self, names: &[String]) -> Result<()> {
        for (number, name) in names.iter().enumerate() {
            let position = self.position(name, "to pass through")?;
            if RESERVED_COLUMNS.contains(&name.as_str()) {
                return Err(Error::new(
                    ErrorKind::Setting,
                    format!("the column {name:?} cannot be passed through: its name is taken in prediction lines"),
                )
                .with_hint("rename it in the table, or leave it out: the join has all columns again"));
            }
            if names[..number].contains(name) {
                return Err(Error::new(ErrorKind::Setting, format!("the column {name:?} is passed through twice")));
            }
            self.raw(",\"");
            self.text(name);
            self.raw("\":\"");
            self.hole(Part::Column(position));
            self.raw("\"");
        }
        Ok(())
    }
}

/// An empty object fails the whole job at the import (seen in the field), and says no
/// more than its absence.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}
