//! Expressions of templates as expressions of SQL.

use batch_io::{ExpressionKind, SourcePlace, TemplateExpression, TemplateNode};

use super::column::{ColumnKind, SourceColumn};
use super::{Result, SqlError, quote};

/// What Rust's and so the renderer's `trim` takes away: all white space of Unicode.
const WHITE_SPACE: &str = "\t\n\u{b}\u{c}\r \u{85}\u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}";

/// A text without white space at its ends.
pub(super) fn trim(text: &str) -> String {
    format!("TRIM({text}, {})", quote::text(WHITE_SPACE))
}

/// A template and what it may speak of.
pub(super) struct Scope<'a> {
    /// What errors call the template.
    pub(super) template: &'a str,
    pub(super) columns: &'a [SourceColumn],
    /// What a row of the source is called.
    pub(super) alias: &'a str,
    /// The key's expression.
    pub(super) key: &'a str,
}

/// An expression of SQL and what its value is to the template. Only numbers and booleans of a
/// column may be null, which is the empty text.
#[derive(Clone, Debug)]
struct Typed {
    sql: String,
    kind: Kind,
    is_nullable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Number,
    Bool,
    /// The truth of a condition: a boolean that is never null.
    Truth,
    Json,
}

impl Scope<'_> {
    /// All nodes as one text.
    pub(super) fn text(&self, nodes: &[TemplateNode]) -> Result<String> {
        let mut pieces = Vec::new();
        for node in nodes {
            pieces.push(match node {
                TemplateNode::Text(text) => quote::text(text),
                TemplateNode::Print(expression) => self.printed(expression)?,
                TemplateNode::If { condition, then, otherwise } => {
                    format!("IF({}, {}, {})", self.truth(condition)?, self.text(then)?, self.text(otherwise)?)
                }
                TemplateNode::Other { what, place } => return Err(self.refused(what, *place)),
                _ => return Err(self.refused("a statement", SourcePlace { line: 1, column: 1 })),
            });
        }
        Ok(match pieces.as_slice() {
            [] => "''".to_owned(),
            [piece] => piece.clone(),
            _ => format!("CONCAT({})", pieces.join(", ")),
        })
    }

    fn refused(&self, what: &str, place: SourcePlace) -> SqlError {
        let SourcePlace { line, column } = place;
        SqlError::new(format!("{what} in the {}, line {line}, column {column}, cannot be said in SQL", self.template))
            .with_hint(
                "make the source a SELECT that computes it as a column of its own, or download the table and build the requests here",
            )
    }

    fn printed(&self, expression: &TemplateExpression) -> Result<String> {
        Ok(self.typed(expression)?.text())
    }

    /// Whether a value counts as true; of several, whatever their types are.
    fn truth(&self, expression: &TemplateExpression) -> Result<String> {
        match &expression.kind {
            ExpressionKind::And(left, right) => Ok(format!("({} AND {})", self.truth(left)?, self.truth(right)?)),
            ExpressionKind::Or(left, right) => Ok(format!("({} OR {})", self.truth(left)?, self.truth(right)?)),
            _ => {
                let typed = self.typed(expression)?;
                typed.truth().ok_or_else(|| self.refused("the truth of a JSON value", expression.place))
            }
        }
    }

    fn typed(&self, expression: &TemplateExpression) -> Result<Typed> {
        let place = expression.place;
        Ok(match &expression.kind {
            ExpressionKind::Column(name) => self.column(name, place)?,
            ExpressionKind::Key => Typed::text_of(self.key.to_owned()),
            ExpressionKind::Index => {
                return Err(self
                    .refused("record.index", place)
                    .with_hint("rows of BigQuery have no order and so no number: use record.key, or a column"));
            }
            ExpressionKind::Text(text) => Typed::text_of(quote::text(text)),
            ExpressionKind::Integer(integer) => Typed::of(integer.to_string(), Kind::Integer),
            ExpressionKind::Bool(value) => Typed::of(value.to_string().to_uppercase(), Kind::Truth),
            ExpressionKind::Filter { name, value, arguments } => self.filter(name, value, arguments, place)?,
            ExpressionKind::Slice { value, start, stop } => {
                let text = self.only_text(value, "a slice of what is no text")?;
                let from = u64::from(*start) + 1;
                Typed::text_of(match stop {
                    Some(stop) => format!("SUBSTR({text}, {from}, {})", stop.saturating_sub(*start)),
                    None if *start == 0 => text,
                    None => format!("SUBSTR({text}, {from})"),
                })
            }
            ExpressionKind::Concat(left, right) => {
                Typed::text_of(format!("CONCAT({}, {})", self.printed(left)?, self.printed(right)?))
            }
            ExpressionKind::Not(inner) => Typed::of(format!("(NOT {})", self.truth(inner)?), Kind::Truth),
            ExpressionKind::And(left, right) => self.choice(&self.truth(left)?, right, left, place)?,
            ExpressionKind::Or(left, right) => self.choice(&self.truth(left)?, left, right, place)?,
            ExpressionKind::If { condition, then, otherwise } => {
                self.choice(&self.truth(condition)?, then, otherwise, place)?
            }
            ExpressionKind::Equal(left, right) => self.equal(left, right, place)?,
            ExpressionKind::Other { what } => return Err(self.refused(what, place)),
            _ => return Err(self.refused("an expression", place)),
        })
    }

    fn column(&self, name: &str, place: SourcePlace) -> Result<Typed> {
        let column = self
            .columns
            .iter()
            .find(|column| column.name == name)
            .ok_or_else(|| self.refused(&format!("the column {name:?}, which the source lacks,"), place))?;
        let path = column.path(self.alias)?;
        let (sql, kind) = match column.kind()? {
            ColumnKind::Text => (format!("IFNULL({path}, '')"), Kind::Text),
            ColumnKind::Cast => (format!("IFNULL(CAST({path} AS STRING), '')"), Kind::Text),
            ColumnKind::Bytes => (format!("IFNULL(TO_BASE64({path}), '')"), Kind::Text),
            ColumnKind::Integer => (path, Kind::Integer),
            ColumnKind::Number => (path, Kind::Number),
            ColumnKind::Bool => (path, Kind::Bool),
            ColumnKind::Json => (path, Kind::Json),
            ColumnKind::Nested => (format!("IF({path} IS NULL, '', TO_JSON_STRING({path}))"), Kind::Text),
        };
        Ok(Typed { sql, kind, is_nullable: kind != Kind::Text })
    }

    /// One of two values by a condition; of one kind, since SQL has a type for it.
    fn choice(
        &self,
        condition: &str,
        then: &TemplateExpression,
        otherwise: &TemplateExpression,
        place: SourcePlace,
    ) -> Result<Typed> {
        let (then, otherwise) = (self.typed(then)?, self.typed(otherwise)?);
        if then.kind != otherwise.kind {
            return Err(self.refused("a choice between values of two types", place));
        }
        Ok(Typed {
            sql: format!("IF({condition}, {}, {})", then.sql, otherwise.sql),
            kind: then.kind,
            is_nullable: then.is_nullable || otherwise.is_nullable,
        })
    }

    fn equal(&self, left: &TemplateExpression, right: &TemplateExpression, place: SourcePlace) -> Result<Typed> {
        let (left, right) = (self.typed(left)?, self.typed(right)?);
        let sql = match (left.kind, right.kind) {
            (Kind::Text, Kind::Text) => format!("({} = {})", left.sql, right.sql),
            // A null is an empty text, which equals no number and no boolean.
            (Kind::Integer, Kind::Integer) | (Kind::Bool | Kind::Truth, Kind::Bool | Kind::Truth)
                if !(left.is_nullable && right.is_nullable) =>
            {
                format!("IFNULL({} = {}, FALSE)", left.sql, right.sql)
            }
            _ => {
                return Err(
                    self.refused("a comparison of other values than two texts, or one number and a constant,", place)
                );
            }
        };
        Ok(Typed::of(sql, Kind::Truth))
    }

    /// The text of a value that is text to the template too.
    fn only_text(&self, value: &TemplateExpression, refused: &str) -> Result<String> {
        match self.typed(value)? {
            Typed { sql, kind: Kind::Text, .. } => Ok(sql),
            _ => Err(self.refused(refused, value.place)),
        }
    }

    fn filter(
        &self,
        name: &str,
        value: &TemplateExpression,
        arguments: &[TemplateExpression],
        place: SourcePlace,
    ) -> Result<Typed> {
        let constant = |at: usize| match arguments.get(at).map(|argument| &argument.kind) {
            Some(ExpressionKind::Text(text)) => Some(text.as_str()),
            _ => None,
        };
        Ok(match (name, arguments.len()) {
            ("upper" | "lower", 0) => Typed::text_of(format!("{}({})", name.to_uppercase(), self.printed(value)?)),
            ("capitalize", 0) => {
                let text = self.printed(value)?;
                Typed::text_of(format!("CONCAT(UPPER(SUBSTR({text}, 1, 1)), LOWER(SUBSTR({text}, 2)))"))
            }
            ("string", 0) => Typed::text_of(self.printed(value)?),
            ("trim", 0) => Typed::text_of(trim(&self.printed(value)?)),
            ("trim", 1) => match constant(0) {
                Some("") => Typed::text_of(self.printed(value)?),
                Some(set) => Typed::text_of(format!("TRIM({}, {})", self.printed(value)?, quote::text(set))),
                None => return Err(self.refused("the filter \"trim\" with a set that is no constant", place)),
            },
            ("replace", 2) => match constant(0).filter(|from| !from.is_empty()) {
                Some(from) => Typed::text_of(format!(
                    "REPLACE({}, {}, {})",
                    self.printed(value)?,
                    quote::text(from),
                    self.printed(&arguments[1])?
                )),
                None => return Err(self.refused("the filter \"replace\" of nothing, or of no constant,", place)),
            },
            // A column is never undefined, a null is an empty text.
            ("default" | "d", 0 | 1) => self.typed(value)?,
            ("default" | "d", 2) => match arguments[1].kind {
                ExpressionKind::Bool(true) => self.choice(&self.truth(value)?, value, &arguments[0], place)?,
                ExpressionKind::Bool(false) => self.typed(value)?,
                _ => return Err(self.refused("the filter \"default\" with a flag that is no constant", place)),
            },
            ("length" | "count", 0) => Typed::of(
                format!("CHAR_LENGTH({})", self.only_text(value, "the length of what is no text")?),
                Kind::Integer,
            ),
            ("tojson", 0) => {
                // The renderer's form can stand in HTML, too.
                let mut json = format!("TO_JSON_STRING({})", self.only_text(value, "the JSON of what is no text")?);
                for char in ['<', '>', '&', '\''] {
                    let escaped = format!("\\u{:04x}", u32::from(char));
                    json = format!("REPLACE({json}, {}, {})", quote::text(&char.to_string()), quote::text(&escaped));
                }
                Typed::text_of(json)
            }
            _ => return Err(self.refused(&format!("the filter {name:?}"), place)),
        })
    }
}

impl Typed {
    fn of(sql: String, kind: Kind) -> Self {
        Self { sql, kind, is_nullable: false }
    }

    fn text_of(sql: String) -> Self {
        Self::of(sql, Kind::Text)
    }

    /// As it prints.
    fn text(self) -> String {
        let sql = self.sql;
        match self.kind {
            Kind::Text => sql,
            Kind::Truth => format!("IF({sql}, 'true', 'false')"),
            Kind::Bool | Kind::Integer | Kind::Number => format!("IFNULL(CAST({sql} AS STRING), '')"),
            Kind::Json => json_text(&sql),
        }
    }

    /// `None` where SQL cannot tell.
    fn truth(self) -> Option<String> {
        let sql = self.sql;
        Some(match self.kind {
            Kind::Text => format!("({sql} != '')"),
            Kind::Truth => sql,
            Kind::Bool => format!("IFNULL({sql}, FALSE)"),
            Kind::Integer | Kind::Number => format!("(IFNULL({sql}, 0) != 0)"),
            Kind::Json => return None,
        })
    }
}

/// A JSON value as a table prints it: a string's text, nothing for null, anything else as JSON.
fn json_text(json: &str) -> String {
    format!("IFNULL(JSON_VALUE({json}), IF(JSON_TYPE({json}) IN ('array', 'object'), TO_JSON_STRING({json}), ''))")
}
