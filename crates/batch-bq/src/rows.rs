//! The rows of a table or of a query's result, as JSON lines.

use std::sync::Arc;

use batch_backend::{Error, Kind, Result};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::{
    BqClient,
    api::{Api, RowsOf},
    cell::{self, Row, Texts},
    table::{Field, TableInfo, TableName},
};

/// How many bytes a page should have: two are in memory, one as it came, one as lines.
const PAGE: u64 = 8 << 20;
/// How many rows the first page has at most, of which nothing is known yet.
const FIRST: u64 = 500;
/// How many rows any page has at most, which the service allows and more.
const MOST: u64 = 100_000;

/// The rows of a table or of a query's result, page by page, each row one JSON line.
///
/// A page is asked for while the one before is being taken, and is cut so that it has about 8 MiB,
/// whatever the length of a row: memory does not grow with the table. How a value looks in a line is
/// said at [`BqClient::read_table`].
#[derive(Debug)]
pub struct Rows {
    client: BqClient,
    of: Arc<RowsOf>,
    fields: Vec<Field>,
    texts: Texts,
    /// The table as it was when reading began, to be compared with at the end.
    table: Option<TableInfo>,
    next: Next,
    /// How many rows have come.
    taken: u64,
    /// How many the service says that there are.
    total: Option<u64>,
    /// How many rows to ask for next.
    ask: u64,
    /// The page that was asked for last.
    token: Option<String>,
}

/// The page that comes next.
#[derive(Debug)]
enum Next {
    /// It is on its way. Dropped, it is not wanted any more.
    Coming(JoinHandle<Result<Bytes>>),
    /// There is none.
    End,
    /// Reading failed.
    Failed,
}

impl Drop for Next {
    fn drop(&mut self) {
        if let Self::Coming(task) = self {
            task.abort();
        }
    }
}

/// Some rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPage {
    /// The rows, each a line of JSON with `\n` at its end.
    pub lines: Bytes,
    /// How many they are.
    pub rows: u64,
}

impl Rows {
    /// The rows of a table, which is described already.
    pub(crate) fn of_table(client: BqClient, name: TableName, table: TableInfo, texts: Texts) -> Self {
        let fields = table.fields.clone();
        Self::begin(client, RowsOf::Table(name), fields, Some(table), texts)
    }

    /// Some columns of a table, which is described already.
    pub(crate) fn of_columns(client: BqClient, name: TableName, table: TableInfo, fields: Vec<Field>) -> Self {
        let names = fields.iter().map(|field| field.name.clone()).collect();
        Self::begin(client, RowsOf::Columns(name, names), fields, Some(table), Texts::AsTheyAre)
    }

    pub(crate) fn begin(
        client: BqClient,
        of: RowsOf,
        fields: Vec<Field>,
        table: Option<TableInfo>,
        texts: Texts,
    ) -> Self {
        let of = Arc::new(of);
        let next = Next::Coming(fetch(client.api(), &of, FIRST, None));
        Self { client, of, fields, texts, table, next, taken: 0, total: None, ask: FIRST, token: None }
    }

    /// The columns. Those of a query are known once its first page is there.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// How many rows there are in all, once the first page is there.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// The next rows; `None` at the end.
    ///
    /// # Errors
    /// What the service may answer; `BadReply` for a value that its column cannot have;
    /// `FailedPrecondition` where the table was changed while it was read, and `DataLoss` where other
    /// rows came than the service counted: some of them would be missing, and nobody would know.
    pub async fn next(&mut self) -> Result<Option<RowPage>> {
        loop {
            let body = match &mut self.next {
                Next::Coming(task) => {
                    task.await.unwrap_or_else(|error| Err(self.about(Kind::Other).with_source(error)))
                }
                Next::End => return Ok(None),
                Next::Failed => {
                    return Err(self.about(Kind::FailedPrecondition).with_source("reading has failed already"));
                }
            };
            self.next = Next::Failed;
            let page = self.take(&body?)?;
            if matches!(self.next, Next::Failed) {
                self.check_end().await?;
                self.next = Next::End;
            }
            if page.rows != 0 {
                return Ok(Some(page));
            }
        }
    }

    /// Asks for the page after this one, and makes lines of this one meanwhile.
    fn take(&mut self, body: &Bytes) -> Result<RowPage> {
        let page: Page<'_> =
            serde_json::from_slice(body).map_err(|error| self.about(Kind::BadReply).with_source(error))?;
        if page.job_complete == Some(false) {
            return Err(self.about(Kind::BadReply).with_source("the query is not done, although it was"));
        }
        if let (RowsOf::Query(_), Some(schema)) = (&*self.of, &page.schema) {
            self.fields = schema_fields(schema);
        }
        self.total = page.total_rows.or(self.total);
        let rows = page.rows.len() as u64;
        self.taken += rows;
        if let Some(token) = page.page_token.filter(|token| !token.is_empty()) {
            if rows == 0 && self.taken != 0 && Some(self.taken) == self.total {
                // The page after the last, as some servers have it.
            } else if self.token.as_ref() == Some(&token) {
                let why = format!("the page {token:?} says that it is followed by itself");
                return Err(self.about(Kind::BadReply).with_source(why));
            } else {
                // By the length of the rows that came, and never by leaps: the next may be longer.
                let fitting = PAGE.saturating_mul(rows.max(1)) / (body.len() as u64).max(1);
                self.ask = fitting.clamp(1, self.ask.saturating_mul(4)).min(MOST);
                self.next = Next::Coming(fetch(self.client.api(), &self.of, self.ask, Some(&token)));
                self.token = Some(token);
            }
        }
        let mut lines = Vec::with_capacity(body.len());
        for row in &page.rows {
            cell::write_row(&mut lines, row, &self.fields, self.texts)
                .map_err(|why| self.about(Kind::BadReply).with_source(why))?;
        }
        Ok(RowPage { lines: lines.into(), rows })
    }

    /// Compares what came with what there is.
    async fn check_end(&self) -> Result<()> {
        let counted = self.total.unwrap_or(self.taken);
        if counted != self.taken {
            let why = format!("{} rows came, and the service counts {counted}", self.taken);
            if self.table.as_ref().is_some_and(|table| table.is_streamed) {
                tracing::warn!(table = %self.of.resource(), "{why}; rows are being streamed into it");
            } else {
                return Err(self.about(Kind::DataLoss).with_source(why).with_hint("run again"));
            }
        }
        let (RowsOf::Table(name) | RowsOf::Columns(name, _), Some(before)) = (&*self.of, &self.table) else {
            return Ok(());
        };
        let after = self.client.google().table(name).await?;
        let unchanged = after.is_some_and(|after| after.modified == before.modified && after.rows == before.rows);
        if unchanged || before.is_streamed {
            return Ok(());
        }
        let why = "the table was changed or deleted while it was read";
        Err(self.about(Kind::FailedPrecondition).with_source(why).with_hint("run again once nobody writes to it"))
    }

    fn about(&self, kind: Kind) -> Error {
        Error::new(kind, "read the rows of", self.of.resource())
    }
}

/// Asks for a page, in a task of its own.
fn fetch(api: &Api, of: &Arc<RowsOf>, rows: u64, token: Option<&str>) -> JoinHandle<Result<Bytes>> {
    let (api, of, token) = (api.clone(), Arc::clone(of), token.map(str::to_owned));
    tokio::spawn(async move { api.rows(&of, rows, token.as_deref()).await })
}

/// A page of rows.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    #[serde(borrow, default, deserialize_with = "null_is_none")]
    rows: Vec<Row<'a>>,
    #[serde(default)]
    page_token: Option<String>,
    #[serde(default, deserialize_with = "digits")]
    total_rows: Option<u64>,
    /// Of a query only.
    #[serde(default)]
    schema: Option<Schema>,
    #[serde(default)]
    job_complete: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Schema {
    #[serde(default)]
    fields: Vec<SchemaField>,
}

#[derive(Debug, Deserialize)]
struct SchemaField {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    fields: Vec<SchemaField>,
}

fn schema_fields(schema: &Schema) -> Vec<Field> {
    schema.fields.iter().map(SchemaField::field).collect()
}

impl SchemaField {
    fn field(&self) -> Field {
        let mut field = Field::nullable(&self.name, crate::table::FieldKind::of(&self.kind));
        if self.mode.as_deref().is_some_and(|mode| mode.eq_ignore_ascii_case("REPEATED")) {
            field.mode = crate::table::Mode::Repeated;
        }
        field.fields = self.fields.iter().map(Self::field).collect();
        field
    }
}

fn null_is_none<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Row<'a>>, D::Error> {
    Ok(Option::<Vec<Row<'a>>>::deserialize(deserializer)?.unwrap_or_default())
}

/// `int64` in JSON is a string of digits; a number is taken as well.
fn digits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = match Option::<Value>::deserialize(deserializer)? {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    };
    text.parse().map(Some).map_err(|error| de::Error::custom(format!("{text:?}: {error}")))
}
