//! A request spec taken apart, for whoever builds the same requests by other means.

use super::spec::RequestSpec;
use super::template::{Filling, Hole, Line, RequestTemplate};
use crate::error::Result;
use crate::table::Columns;
use crate::template::{Template, TemplateNode};

/// A piece of a request: all of them, one behind the other, are its JSON.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RequestPiece {
    /// JSON that is the same in every request.
    Json(String),
    /// A JSON string of what a template makes, quotation marks included.
    Text {
        /// What the template is called: `prompt template`.
        template: String,
        /// The template, taken apart.
        nodes: Vec<TemplateNode>,
    },
    /// A JSON string of the URI in a column, which has to begin with `gs://` or `https://` and go on.
    FileUri {
        /// The column's name.
        column: String,
    },
    /// A JSON string of the MIME type in a column, which must not be empty.
    MimeType {
        /// The column's name.
        column: String,
    },
}

impl RequestSpec {
    /// The request of each record in pieces: what [`RequestTemplate`]
    /// writes between `"request":` and the pass-through columns.
    ///
    /// ```
    /// use batch_io::{Columns, RequestPiece, RequestSpec};
    ///
    /// let pieces = RequestSpec::new("{{ body }}").outline(&Columns::of(["body"])?)?;
    /// assert_eq!(pieces[0], RequestPiece::Json(r#"{"contents":[{"role":"user","parts":[{"text":"#.into()));
    /// assert!(matches!(pieces[1], RequestPiece::Text { .. }));
    /// assert_eq!(pieces[2], RequestPiece::Json("}]}]}".into()));
    /// # Ok::<(), batch_io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`RequestTemplate::compile`].
    pub fn outline(&self, columns: &Columns) -> Result<Vec<RequestPiece>> {
        // For the errors of what stands beside the request.
        RequestTemplate::compile(self, columns)?;
        let mut line = Line::<Outlined>::new(columns);
        line.request(self)?;
        Ok(with_quotes(line.finish()))
    }
}

enum Outlined {
    Json(Vec<u8>),
    Template { name: String, nodes: Vec<TemplateNode> },
    FileUri(String),
    MimeType(String),
}

impl Hole for Outlined {
    fn constant(json: Vec<u8>) -> Self {
        Self::Json(json)
    }

    fn template(name: &str, source: &str, columns: &Columns) -> Result<Vec<Filling<Self>>> {
        let mut nodes = Template::syntax(name, source, columns)?;
        Ok(match nodes.as_mut_slice() {
            [] => Vec::new(),
            [TemplateNode::Text(text)] => vec![Filling::Text(std::mem::take(text))],
            _ => vec![Filling::Hole(Self::Template { name: name.to_owned(), nodes })],
        })
    }

    fn file_uri(_: usize, name: &str) -> Self {
        Self::FileUri(name.to_owned())
    }

    fn mime_type(_: usize, name: &str) -> Self {
        Self::MimeType(name.to_owned())
    }
}

/// Moves the quotation marks around a hole from the constants into it.
fn with_quotes(holes: Vec<Outlined>) -> Vec<RequestPiece> {
    let mut pieces = Vec::new();
    let mut is_open = false;
    for hole in holes {
        let piece = match hole {
            Outlined::Json(json) => {
                // Made of strings, so that nothing is lost.
                let json = String::from_utf8_lossy(&json).into_owned();
                let json = if is_open { json.strip_prefix('"').unwrap_or(&json) } else { &json };
                is_open = false;
                pieces.push(RequestPiece::Json(json.to_owned()));
                continue;
            }
            Outlined::Template { name: template, nodes } => RequestPiece::Text { template, nodes },
            Outlined::FileUri(column) => RequestPiece::FileUri { column },
            Outlined::MimeType(column) => RequestPiece::MimeType { column },
        };
        if let Some(RequestPiece::Json(before)) = pieces.last_mut() {
            before.pop();
        }
        is_open = true;
        pieces.push(piece);
    }
    pieces
}
