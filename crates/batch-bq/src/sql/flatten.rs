//! The SQL that makes columns of an output table's answers.

use batch_io::{AnswerFormat, RESULT_COLUMNS, SchemaNode, SchemaType};
use batch_model::{BigQueryUri, BlockedReason, FinishReason};

use super::expression::trim;
use super::{Result, SqlError, Statement, quote, schema};

/// What the flattened answers become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flattened {
    /// A view, which reads the output table anew for each query.
    View,
    /// A table, which is written once.
    Table,
}

/// The type of the column `response` in the output table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseType {
    /// `JSON`, as jobs write it (likely).
    Json,
    /// `STRING` that holds JSON.
    String,
}

/// Writes the SQL that makes columns of the answers in output tables.
///
/// A row has `key`, the pass-through columns, `outcome`, `answer`, `finish_reason`,
/// `prompt_tokens`, `candidates_tokens`, `thoughts_tokens`, `total_tokens`, and a typed column for
/// each field of the answer that its schema names: `STRING`, `INT64`, `FLOAT64`, `BOOL`, or `JSON`
/// for what has no one type of these. They are null in rows that are not answered, and where a
/// whole number has more than 64 bits; the answer has every digit.
///
/// Outcome and answer equal those of a [`Join`](batch_io::Join) with the same format: thoughts left out, texts
/// put together, fences taken off, the schema checked. There is no `detail`: the sentences are the join's own.
/// Of several predictions of one key, the first that is answered counts, or else the first, by
/// `processed_time`, since rows have no other order. Keys are compared as text. Rows without a key
/// are kept each for itself, and are nobody's where [inputs](Self::inputs) are given.
///
/// What SQL cannot tell as the join does, none of it in answers that a model gives: JSON in which
/// one name stands twice in an object, half of a surrogate pair, a number beyond the range of
/// `FLOAT64`; a `status` that is a success envelope with text behind it; a fence whose language has
/// letters that Unicode counts among the marks; a part with two kinds of data. Features of a schema
/// that cannot be checked alike are refused: see the errors of [`statements`](Self::statements).
#[derive(Clone, Debug)]
pub struct FlattenAnswers {
    outputs: Vec<BigQueryUri>,
    inputs: Vec<BigQueryUri>,
    format: AnswerFormat,
    key: String,
    columns: Vec<String>,
    response_type: ResponseType,
    flattened: Flattened,
    column_prefix: String,
    field_prefix: String,
}

/// Members of a part that stand beside its content.
const BESIDE: [&str; 12] = [
    "text",
    "thought",
    "thoughtSignature",
    "thought_signature",
    "videoMetadata",
    "video_metadata",
    "mediaResolution",
    "media_resolution",
    "mediaProcessing",
    "partMetadata",
    "speechMetadata",
    "speech_metadata",
];

/// Columns of the results that a flattened row has: all but `detail`.
fn result_columns() -> impl Iterator<Item = &'static str> {
    RESULT_COLUMNS.into_iter().filter(|name| *name != "detail")
}

impl FlattenAnswers {
    /// Of these output tables, all rows of one run, for requests that asked for this form of
    /// answer.
    #[must_use]
    pub fn new(outputs: Vec<BigQueryUri>, format: AnswerFormat) -> Self {
        Self {
            outputs,
            inputs: Vec::new(),
            key: "key".to_owned(),
            format,
            columns: Vec::new(),
            response_type: ResponseType::Json,
            flattened: Flattened::View,
            column_prefix: String::new(),
            field_prefix: String::new(),
        }
    }

    /// The tables with the requests. With them each request has one row, `missing` where no
    /// prediction is its; without them there is a row for each prediction.
    #[must_use]
    pub fn inputs(mut self, inputs: Vec<BigQueryUri>) -> Self {
        self.inputs = inputs;
        self
    }

    /// The column with the keys, in the outputs and the inputs; `key` unless told otherwise. In the
    /// flattened rows it is `key`.
    #[must_use]
    pub fn key_column(mut self, name: impl Into<String>) -> Self {
        self.key = name.into();
        self
    }

    /// Pass-through columns to keep.
    #[must_use]
    pub fn columns(mut self, columns: Vec<String>) -> Self {
        self.columns = columns;
        self
    }

    /// The type of `response`; `JSON` unless told otherwise.
    #[must_use]
    pub fn response_type(mut self, response_type: ResponseType) -> Self {
        self.response_type = response_type;
        self
    }

    /// Whether to make a view (which is the default) or a table.
    #[must_use]
    pub fn flattened(mut self, flattened: Flattened) -> Self {
        self.flattened = flattened;
        self
    }

    /// Goes in front of the names `outcome`, `answer`, …
    #[must_use]
    pub fn column_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.column_prefix = prefix.into();
        self
    }

    /// Goes in front of the names of the columns that are made of the answers' fields.
    #[must_use]
    pub fn field_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.field_prefix = prefix.into();
        self
    }

    /// The statement that creates, or replaces, the view or table.
    ///
    /// # Errors
    /// For a name that can be no column or that two columns would have, and for a schema with
    /// `additionalProperties` that is a schema itself, with references in a circle, or with names
    /// of fields that have quotes or backslashes.
    pub fn statements(&self, into: &BigQueryUri) -> Result<Vec<Statement>> {
        let what = match self.flattened {
            Flattened::View => "VIEW",
            Flattened::Table => "TABLE",
        };
        let sql = format!("CREATE OR REPLACE {what} {} AS\n{}", quote::table(into)?, self.select()?);
        Ok(vec![Statement::new(format!("flatten the answers into {into}"), sql)?])
    }

    /// Counts the rows and sums up the tokens of each outcome, of what
    /// [`statements`](Self::statements) has made: `outcome`, `records`, then the sums.
    ///
    /// # Errors
    /// For a name that is no table's.
    pub fn summary(&self, of: &BigQueryUri) -> Result<Statement> {
        let name = |column: &str| quote::column(&format!("{}{column}", self.column_prefix), "the column");
        let mut columns = vec![format!("{} AS outcome", name("outcome")?), "COUNT(*) AS records".to_owned()];
        for column in result_columns().filter(|column| column.ends_with("_tokens")) {
            columns.push(format!("IFNULL(SUM({}), 0) AS {column}", name(column)?));
        }
        let sql = format!(
            "SELECT\n  {}\nFROM {}\nGROUP BY outcome\nORDER BY outcome",
            columns.join(",\n  "),
            quote::table(of)?
        );
        Statement::new("count the outcomes", sql)
    }

    /// All of the flattened rows' columns: pass-through, ours, fields. Each with its expression in
    /// the last step, but for pass-through.
    fn select(&self) -> Result<String> {
        if self.outputs.is_empty() {
            return Err(SqlError::new("there is no output table to flatten"));
        }
        let b = self.own_prefix();
        let ours: Vec<String> = result_columns().map(|name| format!("{}{name}", self.column_prefix)).collect();
        let fields = self.fields(&b)?;
        self.check_names(&ours, &fields)?;
        let pass: Vec<String> =
            self.columns.iter().map(|name| quote::column(name, "the column")).collect::<Result<_>>()?;
        let steps = self.steps(&b, &pass)?;

        let mut columns = Vec::new();
        let row = if self.inputs.is_empty() { "a" } else { "i" };
        columns.push(format!("{row}.`key`"));
        columns.extend(pass.iter().map(|name| format!("{row}.{name}")));
        for (name, column) in result_columns().zip(&ours) {
            let value = match name {
                "outcome" if !self.inputs.is_empty() => format!("IFNULL(a.{b}outcome, 'missing')"),
                _ => format!("a.{b}{name}"),
            };
            columns.push(format!("{value} AS {}", quote::column(column, "the column")?));
        }
        columns.extend(fields.into_iter().map(|(column, value)| format!("{value} AS {column}")));
        let from = if self.inputs.is_empty() {
            "FROM answers AS a".to_owned()
        } else {
            "FROM inputs AS i\nLEFT JOIN answers AS a ON a.`key` = i.`key`".to_owned()
        };
        Ok(format!("{steps}\nSELECT\n  {}\n{from}", columns.join(",\n  ")))
    }

    /// In front of the names of our own steps' columns, so that no pass-through column is one.
    fn own_prefix(&self) -> String {
        let mut prefix = "b_".to_owned();
        while self.columns.iter().any(|column| column.to_ascii_lowercase().starts_with(&prefix)) {
            prefix.push('_');
        }
        prefix
    }

    fn check_names(&self, ours: &[String], fields: &[(String, String)]) -> Result<()> {
        let mut seen = vec!["key".to_owned()];
        let plain = |name: &str| name.trim_matches('`').to_lowercase();
        let all = self.columns.iter().chain(ours).chain(fields.iter().map(|(name, _)| name));
        for name in all.map(|name| plain(name)) {
            if seen.contains(&name) {
                return Err(SqlError::new(format!("two columns of the answers would have the name {name:?}"))
                    .with_hint("set column_prefix or field_prefix, such as \"answer_\""));
            }
            seen.push(name);
        }
        Ok(())
    }

    /// The fields' columns, quoted, each with its expression.
    fn fields(&self, b: &str) -> Result<Vec<(String, String)>> {
        let names = self.format.fields().unwrap_or_default();
        let root = self.format.answer_node().and_then(|node| self.format.resolve(node));
        let mut fields = Vec::new();
        for name in names.into_iter().filter(|name| !name.is_empty()) {
            let node = root.and_then(|root| root.properties.iter().find(|(property, _)| property == name));
            let sql_type = node.and_then(|(_, node)| self.format.resolve(node)).and_then(single_type);
            let path = quote::member(name)?;
            let text = format!("JSON_VALUE(a.{b}fields, {path})");
            let value = match sql_type {
                Some(SchemaType::String) => text,
                Some(SchemaType::Integer) => format!(
                    "IF(REGEXP_CONTAINS({text}, {}), SAFE_CAST({text} AS INT64), \
                     SAFE_CAST(SAFE_CAST({text} AS FLOAT64) AS INT64))",
                    quote::pattern("^-?[0-9]+$")
                ),
                Some(SchemaType::Number) => format!("SAFE_CAST({text} AS FLOAT64)"),
                Some(SchemaType::Boolean) => format!("SAFE_CAST({text} AS BOOL)"),
                _ => format!("JSON_QUERY(a.{b}fields, {path})"),
            };
            fields.push((quote::column(&format!("{}{name}", self.field_prefix), "the field")?, value));
        }
        Ok(fields)
    }

    /// From the output tables to `answers`, one row for each key.
    fn steps(&self, b: &str, pass: &[String]) -> Result<String> {
        let pass = pass.iter().map(|name| format!(", {name}")).collect::<String>();
        let key = format!("CAST({} AS STRING) AS `key`", quote::column(&self.key, "the key column")?);
        let response = match self.response_type {
            ResponseType::Json => "response",
            ResponseType::String => "SAFE.PARSE_JSON(response, wide_number_mode => 'round')",
        };
        let union = |tables: &[BigQueryUri], columns: &str| -> Result<String> {
            let selects: Vec<String> = tables
                .iter()
                .map(|uri| Ok(format!("  SELECT {columns} FROM {}", quote::table(uri)?)))
                .collect::<Result<_>>()?;
            Ok(selects.join("\n  UNION ALL\n"))
        };
        let mut steps = vec![format!(
            "predictions AS (\n{}\n)",
            union(
                &self.outputs,
                &format!(
                    "{key}{pass}, status AS {b}status, processed_time AS {b}time, \
                     {response} AS {b}response"
                )
            )?
        )];
        if !self.inputs.is_empty() {
            steps.insert(0, format!("inputs AS (\n{}\n)", union(&self.inputs, &format!("{key}{pass}"))?));
        }
        let named = [
            ("candidates", candidate_columns(b)),
            ("contents", content_columns(b)),
            ("parts", vec![part_column(b)]),
            ("texts", text_columns(b)),
            (
                "trimmed",
                vec![
                    format!("IFNULL({}, '') AS {b}trimmed", trim(&format!("{b}text"))),
                    format!("ARRAY_LENGTH({b}data) > 0 AS {b}has_data"),
                ],
            ),
            ("unfenced", vec![format!("{} AS {b}json", unfenced(&format!("{b}trimmed")))]),
            ("parsed", vec![format!("SAFE.PARSE_JSON({b}json, wide_number_mode => 'round') AS {b}value")]),
            ("outcomes", vec![format!("{} AS {b}outcome", self.outcome(b)?)]),
        ];
        let mut from = "predictions";
        for (name, columns) in named {
            steps.push(format!("{name} AS (\n  SELECT\n    *,\n    {}\n  FROM {from}\n)", columns.join(",\n    ")));
            from = name;
        }
        steps.push(format!(
            "answers AS (\n  SELECT\n    *,\n    {} AS {b}answer,\n    \
             IF({b}outcome = 'answered' AND JSON_TYPE({b}value) = 'object', {b}value, NULL) AS {b}fields\n  \
             FROM outcomes\n  WHERE TRUE\n  QUALIFY IFNULL(`key`, '') = '' OR ROW_NUMBER() OVER (\n    PARTITION BY `key`\n    \
             ORDER BY IF({b}outcome = 'answered', 0, 1), IF({b}time IS NULL, 1, 0), {b}time, \
             TO_JSON_STRING({b}response)\n  ) = 1\n)",
            self.answer(b)
        ));
        Ok(format!("WITH {}", steps.join(",\n")))
    }

    /// The values of a schema that allows a list of scalars.
    fn allowed(&self) -> Option<String> {
        let root: &SchemaNode = self.format.resolve(self.format.answer_node()?)?;
        let allowed = root.allowed.as_ref()?;
        Some(allowed.iter().map(|text| quote::text(text)).collect::<Vec<_>>().join(", "))
    }

    /// The condition under which a text is an answer.
    fn is_answer(&self, b: &str) -> Result<String> {
        let allowed = self.allowed();
        if self.format.is_enum() {
            return Ok(match allowed {
                Some(allowed) => format!("{} IN ({allowed})", enum_value(b)),
                None => "TRUE".to_owned(),
            });
        }
        if !self.format.is_json() {
            return Ok("TRUE".to_owned());
        }
        let fits = schema::fits(&self.format, &format!("{b}value"))?.unwrap_or_else(|| "TRUE".to_owned());
        // The very word, without its quotes.
        let bare = allowed.map_or_else(|| "FALSE".to_owned(), |allowed| format!("{b}json IN ({allowed})"));
        Ok(format!("IF({b}value IS NULL, {bare}, IFNULL({fits}, FALSE))"))
    }

    fn outcome(&self, b: &str) -> Result<String> {
        // Finish reasons that say that a filter withheld the answer: see [`Blocked`](batch_io::Blocked).
        let filters = FinishReason::NAMES.iter().filter(|name| FinishReason::from_name(name).is_blocked());
        let filters = filters.map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        let data = if self.format.is_json() || self.format.is_enum() { "invalid_answer" } else { "answered" };
        Ok(format!(
            "CASE\n      WHEN {b}failed THEN 'request_error'\n      \
             WHEN {b}block_reason != '' AND ({b}candidate IS NULL OR NOT ENDS_WITH({b}block_reason, '_UNSPECIFIED')) THEN 'blocked'\n      \
             WHEN {b}candidate IS NULL THEN 'empty'\n      \
             WHEN {b}finish_reason IN ({filters}) THEN 'blocked'\n      \
             WHEN {b}finish_reason = 'MAX_TOKENS' THEN 'truncated'\n      \
             WHEN {b}trimmed = '' AND NOT {b}has_data THEN 'empty'\n      \
             WHEN {b}trimmed = '' THEN '{data}'\n      \
             WHEN {} THEN 'answered'\n      \
             ELSE 'invalid_answer'\n    END",
            self.is_answer(b)?
        ))
    }

    fn answer(&self, b: &str) -> String {
        let text = if self.format.is_enum() {
            format!("IF({b}outcome = 'answered', {}, {b}text)", enum_value(b))
        } else if self.format.is_json() {
            format!(
                "CASE\n        WHEN {b}value IS NULL THEN IF({b}outcome = 'answered', {b}json, {b}text)\n        \
                 WHEN JSON_TYPE({b}value) = 'string' THEN JSON_VALUE({b}value)\n        \
                 ELSE {}\n      END",
                compact(&format!("{b}json"))
            )
        } else {
            format!("{b}text")
        };
        format!(
            "CASE\n      WHEN {b}outcome IN ('request_error', 'blocked', 'truncated') THEN NULLIF({b}text, '')\n      \
             WHEN {b}outcome = 'empty' THEN NULL\n      \
             WHEN {b}trimmed = '' THEN IF(ARRAY_LENGTH({b}data) = 1, {b}data[SAFE_OFFSET(0)], CONCAT('[', ARRAY_TO_STRING({b}data, ','), ']'))\n      \
             ELSE {text}\n    END"
        )
    }
}

/// The one type that a column can be made of.
fn single_type(node: &SchemaNode) -> Option<SchemaType> {
    match node.types.as_slice() {
        [one] | [one, SchemaType::Null] | [SchemaType::Null, one] => Some(*one),
        _ => None,
    }
}

/// A member that the service writes in either of two spellings, as text; nulls are absent.
fn value_of(json: &str, camel: &str, snake: &str) -> String {
    format!("COALESCE(JSON_VALUE({json}, '$.{camel}'), JSON_VALUE({json}, '$.{snake}'))")
}

/// The elements of an array; a value of its own where a list is due.
fn elements(json: &str) -> String {
    format!(
        "CASE WHEN JSON_TYPE({json}) = 'array' THEN JSON_QUERY_ARRAY(IF(JSON_TYPE({json}) = 'array', {json}, NULL)) WHEN JSON_TYPE({json}) != 'null' THEN [{json}] END"
    )
}

/// The name of an enum's value that may be a number.
fn symbol(text: &str, name_of: fn(i64) -> Option<&'static str>) -> String {
    let names = (0..).map_while(|number| Some((number, name_of(number)?)));
    let cases: String = names.map(|(number, name)| format!(" WHEN '{number}' THEN '{name}'")).collect();
    format!("CASE {text}{cases} ELSE {text} END")
}

/// The first candidate, what the service says of the prompt, and the token counts.
fn candidate_columns(b: &str) -> Vec<String> {
    let response = format!("{b}response");
    let candidates = elements(&format!("JSON_QUERY({response}, '$.candidates')"));
    let feedback =
        |spelling: &str| value_of(&format!("JSON_QUERY({response}, '$.{spelling}')"), "blockReason", "block_reason");
    let mut columns = vec![
        format!(
            "(SELECT c FROM UNNEST({candidates}) AS c WITH OFFSET AS o\n      \
             ORDER BY IF(IFNULL(SAFE_CAST(JSON_VALUE(c, '$.index') AS FLOAT64), 0) = 0, 0, 1), o LIMIT 1) AS {b}candidate"
        ),
        format!(
            "IFNULL({}, '') AS {b}block_reason",
            symbol(
                &format!("COALESCE({}, {})", feedback("promptFeedback"), feedback("prompt_feedback")),
                BlockedReason::name_of
            )
        ),
        format!("{} AS {b}failed", failed(&format!("{b}status"))),
    ];
    for (name, camel, snake) in [
        ("prompt_tokens", "promptTokenCount", "prompt_token_count"),
        ("candidates_tokens", "candidatesTokenCount", "candidates_token_count"),
        ("thoughts_tokens", "thoughtsTokenCount", "thoughts_token_count"),
        ("total_tokens", "totalTokenCount", "total_token_count"),
    ] {
        let count = |spelling: &str| value_of(&format!("JSON_QUERY({response}, '$.{spelling}')"), camel, snake);
        let count = format!("COALESCE({}, {})", count("usageMetadata"), count("usage_metadata"));
        let number = format!("SAFE_CAST(TRIM({count}) AS FLOAT64)");
        columns.push(format!(
            "IF({number} >= 0 AND {number} = FLOOR({number}), SAFE_CAST({number} AS INT64), NULL) AS {b}{name}"
        ));
    }
    columns
}

/// Whether a status says that the request failed.
fn failed(status: &str) -> String {
    let text = trim(&format!("IFNULL({status}, '')"));
    let envelope = format!("SAFE.PARSE_JSON({text}, wide_number_mode => 'round')");
    let error = format!("JSON_QUERY({envelope}, '$.error')");
    let inner = format!("IF(JSON_TYPE({error}) = 'object', {error}, {envelope})");
    let code = format!("SAFE_CAST(TRIM(JSON_VALUE({inner}, '$.code')) AS FLOAT64)");
    // A code is one of HTTP or one of google.rpc.Code.
    let no_code = format!(
        "IFNULL(NOT ({code} = FLOOR({code}) AND ({code} BETWEEN 0 AND 16 OR {code} BETWEEN 100 AND 599)), TRUE)"
    );
    let message = format!("JSON_QUERY({inner}, '$.message')");
    format!(
        "NOT (\n      {text} IN ('', '{{}}', 'OK')\n      OR (\n        STARTS_WITH({text}, '{{')\n        \
         AND IFNULL({code} IN (0, 200) OR ({no_code} AND JSON_VALUE({inner}, '$.status') = 'OK'), FALSE)\n        \
         AND (IFNULL(JSON_TYPE({message}), 'null') != 'string' OR JSON_VALUE({message}) = '')\n        \
         AND (IFNULL(JSON_TYPE({error}), 'null') != 'string' OR JSON_VALUE({error}) = '')\n      )\n    )"
    )
}

fn content_columns(b: &str) -> Vec<String> {
    let candidate = format!("{b}candidate");
    let content = format!("JSON_QUERY({candidate}, '$.content')");
    vec![
        format!(
            "{} AS {b}finish_reason",
            symbol(&value_of(&candidate, "finishReason", "finish_reason"), FinishReason::name_of)
        ),
        // A list of parts without the object around it is read as well.
        format!(
            "IF(JSON_TYPE({content}) = 'array' OR JSON_TYPE({content}) = 'string', {content}, JSON_QUERY({content}, '$.parts')) \
             AS {b}content"
        ),
    ]
}

/// The parts that are no thoughts.
fn part_column(b: &str) -> String {
    format!(
        "ARRAY(SELECT p FROM UNNEST({}) AS p WITH OFFSET AS o\n      \
         WHERE IFNULL(JSON_VALUE(p, '$.thought'), 'false') != 'true' ORDER BY o) AS {b}parts",
        elements(&format!("{b}content"))
    )
}

/// The text of the parts, and what else they hold, as JSON.
fn text_columns(b: &str) -> Vec<String> {
    let beside = BESIDE.map(|name| format!("'{name}'")).join(", ");
    vec![
        format!(
            "(SELECT STRING_AGG(IF(JSON_TYPE(p) = 'string', JSON_VALUE(p), JSON_VALUE(p, '$.text')), '' ORDER BY o)\n      \
             FROM UNNEST({b}parts) AS p WITH OFFSET AS o) AS {b}text"
        ),
        // The bytes of inline data are left where they are, and only their length is told.
        format!(
            "ARRAY(SELECT CONCAT('{{', TO_JSON_STRING(k), ':', IF(k IN ('inlineData', 'inline_data'), \
             REGEXP_REPLACE(TO_JSON_STRING(p[k]), {}, CONCAT('\"base64Length\":', CAST(IFNULL(LENGTH(JSON_VALUE(p[k], '$.data')), 0) AS STRING))), \
             TO_JSON_STRING(p[k])), '}}')\n      \
             FROM UNNEST({b}parts) AS p WITH OFFSET AS o, UNNEST(JSON_KEYS(JSON_STRIP_NULLS(p), 1)) AS k\n      \
             WHERE k NOT IN ({beside}) ORDER BY o) AS {b}data",
            quote::pattern("\"data\":(\"[^\"]*\"|null)")
        ),
    ]
}

/// The inside of a Markdown code fence, where a whole text without white space at its ends is one;
/// otherwise the text.
fn unfenced(text: &str) -> String {
    let inside = format!("SUBSTR({text}, 4, CHAR_LENGTH({text}) - 6)");
    let line = trim(&inside);
    let language = trim(&format!("REGEXP_EXTRACT({inside}, {})", quote::pattern("^([^\\n]*)")));
    let body = trim(&format!("SUBSTR({inside}, STRPOS({inside}, '\\n') + 1)"));
    format!(
        "CASE\n      WHEN NOT (STARTS_WITH({text}, '```') AND ENDS_WITH({text}, '```') AND CHAR_LENGTH({text}) >= 6) THEN {text}\n      \
         WHEN STRPOS({inside}, '\\n') = 0 AND REGEXP_CONTAINS({line}, {}) THEN {}\n      \
         WHEN STRPOS({inside}, '\\n') = 0 THEN {line}\n      \
         WHEN REGEXP_CONTAINS({language}, {}) THEN {body}\n      \
         ELSE {text}\n    END",
        quote::pattern("^json([^\\pL\\pN]|$)"),
        trim(&format!("SUBSTR({line}, 5)")),
        quote::pattern("^[\\pL\\pN]*$"),
    )
}

/// One of a list of values: bare, or quoted as the JSON format would have it.
fn enum_value(b: &str) -> String {
    format!("IF(JSON_TYPE({b}value) = 'string', JSON_VALUE({b}value), {b}json)")
}

/// JSON without the white space between its tokens. Each match is a string, which stays, or white
/// space, which goes.
fn compact(json: &str) -> String {
    format!(
        "REGEXP_REPLACE({json}, {}, {})",
        quote::pattern(r#"("(?:[^"\\]|\\.)*")|[ \t\n\r]+"#),
        quote::pattern(r"\1")
    )
}
