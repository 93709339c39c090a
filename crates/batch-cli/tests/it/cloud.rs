//! What lies in an emulator's cloud, read by plain HTTP: nothing of the program's own is asked.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::Value;

/// The services at `url`.
pub(crate) struct Cloud {
    authority: String,
    project: &'static str,
}

/// A job as the service lists it.
pub(crate) struct Job {
    /// Its labels and the values.
    pub(crate) labels: BTreeMap<String, String>,
    /// Where its request lines are.
    pub(crate) input: String,
    /// Where its predictions are: a folder or a table.
    pub(crate) output: Option<String>,
    /// The request lines that it was given.
    pub(crate) asked: Vec<Value>,
    /// The predictions that it left.
    pub(crate) predictions: Vec<Value>,
    /// `JOB_STATE_SUCCEEDED` and so on.
    pub(crate) state: String,
}

impl Cloud {
    pub(crate) fn at(url: &str, project: &'static str) -> Self {
        Self { authority: url.trim_start_matches("http://").to_owned(), project }
    }

    fn get(&self, path: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.authority).expect("the emulator");
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.authority).expect("send a request");
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).expect("a reply");
        let end = reply.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&reply[..end]).into_owned();
        assert!(head.starts_with("HTTP/1.0 200"), "{path}: {head}");
        reply.split_off(end + 4)
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.get(path)).expect("JSON")
    }

    /// All that a listing has under `member`, page by page; `path` ends with its query.
    fn list(&self, path: &str, member: &str) -> Vec<Value> {
        let (mut all, mut token) = (Vec::new(), String::new());
        loop {
            let mut page = self.json(&format!("{path}&pageToken={token}"));
            if let Some(items) = page[member].as_array_mut() {
                all.append(items);
            }
            match page.get("nextPageToken").or(page.get("pageToken")).and_then(Value::as_str) {
                Some(next) if !next.is_empty() => next.clone_into(&mut token),
                _ => return all,
            }
        }
    }

    /// The objects of a bucket whose names begin so, as `gs://` URIs.
    pub(crate) fn objects(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let objects = self.list(&format!("/storage/v1/b/{bucket}/o?prefix={prefix}"), "items");
        objects.iter().map(|object| format!("gs://{bucket}/{}", object["name"].as_str().unwrap())).collect()
    }

    /// The tables of a dataset, as `bq://` URIs.
    pub(crate) fn tables(&self, dataset: &str) -> Vec<String> {
        let path = format!("/bigquery/v2/projects/{}/datasets/{dataset}/tables?maxResults=1000", self.project);
        let name = |table: &Value| {
            format!("bq://{}.{dataset}.{}", self.project, table["tableReference"]["tableId"].as_str().unwrap())
        };
        self.list(&path, "tables").iter().map(name).collect()
    }

    /// Every batch prediction job of the location.
    pub(crate) fn jobs(&self, location: &str) -> Vec<Job> {
        let path = format!("/v1/projects/{}/locations/{location}/batchPredictionJobs?pageSize=100", self.project);
        self.list(&path, "batchPredictionJobs").iter().map(|job| self.job(job)).collect()
    }

    fn job(&self, job: &Value) -> Job {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let labels = job["labels"].as_object().into_iter().flatten();
        let input = &job["inputConfig"];
        let input = text(&input["gcsSource"]["uris"][0]).or(text(&input["bigquerySource"]["inputUri"]));
        let input = input.expect("the job's input");
        // A job that failed as a whole has no output.
        let info = &job["outputInfo"];
        let table = text(&info["bigqueryOutputTable"]);
        let table = table.map(|table| format!("{}.{table}", info["bigqueryOutputDataset"].as_str().unwrap()));
        let output = text(&info["gcsOutputDirectory"]).or(table);
        let files = match output.as_deref().map(|output| (output, output.strip_prefix("gs://"))) {
            Some((_, Some(folder))) => {
                let (bucket, prefix) = folder.split_once('/').unwrap();
                self.objects(bucket, prefix)
            }
            Some((table, None)) => vec![table.to_owned()],
            None => Vec::new(),
        };
        Job {
            labels: labels.map(|(name, value)| (name.clone(), text(value).unwrap())).collect(),
            asked: self.lines(&input),
            predictions: files.iter().flat_map(|uri| self.lines(uri)).collect(),
            input,
            output,
            state: text(&job["state"]).unwrap(),
        }
    }

    /// The lines of an object, or the rows of a table with JSON texts read.
    fn lines(&self, uri: &str) -> Vec<Value> {
        let Some(table) = uri.strip_prefix("bq://") else {
            let (bucket, name) = uri["gs://".len()..].split_once('/').unwrap();
            let bytes = self.get(&format!("/storage/v1/b/{bucket}/o/{}?alt=media", name.replace('/', "%2F")));
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            return lines.map(|line| serde_json::from_slice(line).expect("a line of JSON")).collect();
        };
        let [project, dataset, table] = table.split('.').collect::<Vec<_>>()[..] else { panic!("{uri}") };
        let path = format!("/bigquery/v2/projects/{project}/datasets/{dataset}/tables/{table}");
        let schema = self.json(&path);
        let fields = schema["schema"]["fields"].as_array().unwrap();
        let row = |row: &Value| {
            let cells = fields.iter().zip(row["f"].as_array().unwrap());
            let cell = |(field, cell): (&Value, &Value)| {
                let text = cell["v"].as_str();
                let value = match (field["type"].as_str(), text) {
                    (Some("JSON"), Some(text)) => serde_json::from_str(text).expect("JSON in a cell"),
                    _ => cell["v"].clone(),
                };
                (field["name"].as_str().unwrap().to_owned(), value)
            };
            Value::Object(cells.map(cell).collect())
        };
        self.list(&format!("{path}/data?maxResults=1000"), "rows").iter().map(row).collect()
    }
}
