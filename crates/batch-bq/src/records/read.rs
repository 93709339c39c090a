//! The rows of staged tables, without their requests.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use batch_backend::{Chunk, Error, Kind, PredictionSource, Result};
use bytes::Bytes;

use super::without_request;
use crate::{BqClient, Field, Rows, table::TableName};

/// What the records are called as a file.
const FILE: &str = "records.jsonl";

/// The rows of one table after the other, as one file.
pub(super) struct Records {
    client: BqClient,
    tables: VecDeque<TableName>,
    rows: Option<Rows>,
    file: Arc<str>,
    offset: u64,
    /// Whether anything was given: a file without bytes is one too.
    is_begun: bool,
}

impl Records {
    pub(super) fn new(client: BqClient, tables: Vec<TableName>) -> Self {
        Self { client, tables: tables.into(), rows: None, file: FILE.into(), offset: 0, is_begun: false }
    }

    async fn open(&self, name: TableName) -> Result<Rows> {
        let Some(table) = self.client.table(&name.uri()).await? else {
            return Err(Error::new(Kind::NotFound, "read the records of", name.to_string())
                .with_source("there is no such table any more"));
        };
        let fields: Vec<Field> = without_request(&table.fields).cloned().collect();
        Ok(Rows::of_columns(self.client.clone(), name, table, fields))
    }

    fn chunk(&mut self, bytes: Bytes) -> Chunk {
        let (file, offset) = (Arc::clone(&self.file), self.offset);
        self.offset += bytes.len() as u64;
        self.is_begun = true;
        Chunk { file, offset, bytes }
    }
}

#[async_trait]
impl PredictionSource for Records {
    async fn next(&mut self) -> Result<Option<Chunk>> {
        loop {
            if let Some(rows) = &mut self.rows {
                if let Some(page) = rows.next().await? {
                    return Ok(Some(self.chunk(page.lines)));
                }
                self.rows = None;
            }
            match self.tables.pop_front() {
                Some(table) => self.rows = Some(self.open(table).await?),
                None if self.is_begun => return Ok(None),
                None => return Ok(Some(self.chunk(Bytes::new()))),
            }
        }
    }
}
