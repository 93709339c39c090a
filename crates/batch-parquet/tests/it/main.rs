//! What is written is read back by the `parquet` crate's own reader, and compared with the results as CSV.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod failing;
mod round_trip;

use std::fs;

use batch_io::{AnswerFormat, Join, TableFormat};
use batch_model::prices;
use batch_parquet::ParquetResults;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

/// A table and predictions in a folder.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new(table: &str, predictions: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let name = if table.starts_with('{') { "table.jsonl" } else { "table.csv" };
        fs::write(folder.0.path().join(name), table).unwrap();
        fs::write(folder.0.path().join("p.jsonl"), predictions).unwrap();
        folder
    }

    pub(crate) fn join(&self) -> Join<'static> {
        let path = |name: &str| self.0.path().join(name);
        let format = if path("table.csv").exists() { TableFormat::CSV } else { TableFormat::Jsonl };
        let table = if format == TableFormat::CSV { "table.csv" } else { "table.jsonl" };
        Join::from_path(path(table), format, [path("p.jsonl")])
            .answer_format(AnswerFormat::json())
            .price(prices::find(&"gemini-2.5-flash".parse().unwrap()))
    }

    /// The results as CSV, row by row with the header first.
    pub(crate) fn csv(&self) -> Vec<Vec<String>> {
        let mut out = Vec::new();
        self.join().run(&mut out, &mut |_| {}).unwrap();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&*out);
        reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    pub(crate) fn parquet(&self, group_bytes: usize) -> Vec<u8> {
        let mut file = Vec::new();
        let mut results = ParquetResults::new(&mut file).row_group_bytes(group_bytes);
        let summary = self.join().for_each(&mut |row| results.push(row).unwrap()).unwrap();
        results.finish(&summary).unwrap();
        file
    }
}

/// A file as it is read back.
pub(crate) struct ReadBack {
    pub(crate) reader: SerializedFileReader<bytes::Bytes>,
    pub(crate) names: Vec<String>,
    pub(crate) rows: Vec<Vec<Field>>,
}

impl ReadBack {
    pub(crate) fn new(file: Vec<u8>) -> Self {
        assert_eq!(&file[..4], b"PAR1");
        let reader = SerializedFileReader::new(bytes::Bytes::from(file)).unwrap();
        let schema = reader.metadata().file_metadata().schema();
        let names = schema.get_fields().iter().map(|field| field.name().to_owned()).collect();
        let rows = reader.get_row_iter(None).unwrap();
        let rows = rows.map(|row| row.unwrap().into_columns().into_iter().map(|(_, field)| field).collect()).collect();
        Self { reader, names, rows }
    }
}

/// A line of a prediction: its key, its answer, its token counts.
pub(crate) fn prediction(key: usize, answer: &str, tokens: u32) -> String {
    let response = serde_json::json!({
        "candidates": [{"content": {"parts": [{"text": answer}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": tokens, "candidatesTokenCount": 3, "totalTokenCount": tokens + 3},
    });
    format!("{}\n", serde_json::json!({"key": format!("r{key}"), "status": "", "response": response}))
}
