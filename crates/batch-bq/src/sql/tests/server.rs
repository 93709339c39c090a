//! A server of BigQuery's API that the tests are told of, spoken to in as few words as it takes.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

/// Names the server: `http://127.0.0.1:9050`. Without it the tests that need one are not run.
const VARIABLE: &str = "BATCH_TEST_BIGQUERY";

pub(super) struct Server {
    host: String,
    /// Whether `JSON_TYPE` answers with DuckDB's own names, as bqemulator's does.
    has_own_types: bool,
}

impl Server {
    /// The server, with a dataset that nobody else has.
    pub(super) fn connect(dataset: &str) -> Self {
        let address = std::env::var(VARIABLE).unwrap_or_else(|_| panic!("{VARIABLE} names no server"));
        let host = address.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let mut server = Self { host, has_own_types: false };
        server.has_own_types = server.query("SELECT JSON_TYPE(JSON '\"x\"')")[0][0] == "varchar";
        server.query(&format!("CREATE SCHEMA IF NOT EXISTS demo.{dataset}"));
        server
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.host).unwrap();
        write!(
            stream,
            "POST /bigquery/v2/projects/demo/{path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        )
        .unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        let reply = String::from_utf8(reply).unwrap();
        let (_, body) = reply.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {reply}"))
    }

    /// The rows that a statement gives; the server's words where it fails.
    pub(super) fn try_query(&self, sql: &str) -> Result<Vec<Vec<Value>>, String> {
        let sql = if self.has_own_types {
            sql.replace("= 'string'", "= 'varchar'")
                .replace("!= 'string'", "!= 'varchar'")
                .replace("= 'number'", "IN ('bigint', 'ubigint', 'hugeint', 'double')")
                .replace("WHEN 'string'", "WHEN 'varchar'")
        } else {
            sql.to_owned()
        };
        let reply = self.post(
            "queries",
            &json!({"query": sql, "useLegacySql": false, "timeoutMs": 200_000, "maxResults": 100_000}),
        );
        for member in ["error", "errors"] {
            if let Some(error) = reply.get(member).filter(|error| !error.is_null()) {
                return Err(error.to_string());
            }
        }
        assert_eq!(reply["jobComplete"], true, "{reply}");
        let rows = reply["rows"].as_array().cloned().unwrap_or_default();
        Ok(rows.iter().map(|row| row["f"].as_array().unwrap().iter().map(|cell| cell["v"].clone()).collect()).collect())
    }

    pub(super) fn query(&self, sql: &str) -> Vec<Vec<Value>> {
        self.try_query(sql).unwrap_or_else(|error| panic!("{error}\n{sql}"))
    }

    /// Puts rows into a table.
    pub(super) fn insert(&self, dataset: &str, table: &str, rows: &[Value]) {
        for rows in rows.chunks(500) {
            let rows: Vec<Value> = rows.iter().map(|row| json!({"json": row})).collect();
            let reply = self.post(&format!("datasets/{dataset}/tables/{table}/insertAll"), &json!({"rows": rows}));
            assert!(
                reply.get("insertErrors").is_none_or(|errors| errors.as_array().is_none_or(Vec::is_empty)),
                "{reply}"
            );
            assert!(reply.get("error").is_none(), "{reply}");
        }
    }
}
