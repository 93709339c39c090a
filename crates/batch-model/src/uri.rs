//! `gs://` and `bq://` addresses.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::ParseError;

/// `gs://BUCKET/OBJECT`: a Cloud Storage object, or a prefix of object names.
///
/// The object part is verbatim: slashes, colons and stars stay as they are, nothing is decoded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GcsUri {
    bucket: String,
    object: String,
}

impl GcsUri {
    /// The object (or prefix) `object` in `bucket`.
    #[must_use]
    pub fn new(bucket: impl Into<String>, object: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), object: object.into() }
    }

    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The object's name or the prefix, without a leading slash; empty for a whole bucket.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.object
    }

    /// This address as a folder: with one slash at its end, unless it is a whole bucket.
    #[must_use]
    pub fn as_folder(&self) -> Self {
        let trimmed = self.object.trim_end_matches('/');
        let object = if trimmed.is_empty() { String::new() } else { format!("{trimmed}/") };
        Self { bucket: self.bucket.clone(), object }
    }

    /// `name` below this address, with one slash between them.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        let folder = self.as_folder();
        Self { bucket: folder.bucket, object: format!("{}{name}", folder.object) }
    }
}

impl FromStr for GcsUri {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = |why| ParseError::new("Cloud Storage URI", text, why);
        let rest = text.strip_prefix("gs://").ok_or_else(|| wrong("it does not start with gs://"))?;
        let (bucket, object) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(wrong("it names no bucket"));
        }
        if !bucket.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.')) {
            return Err(wrong("a bucket name has lowercase letters, digits, '-', '_' and '.' only"));
        }
        Ok(Self::new(bucket, object))
    }
}

impl fmt::Display for GcsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gs://{}/{}", self.bucket, self.object)
    }
}

/// `bq://PROJECT`, `bq://PROJECT.DATASET` or `bq://PROJECT.DATASET.TABLE`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BigQueryUri {
    project: String,
    dataset: Option<String>,
    table: Option<String>,
}

impl BigQueryUri {
    /// The table `project.dataset.table`.
    #[must_use]
    pub fn table_of(project: impl Into<String>, dataset: impl Into<String>, table: impl Into<String>) -> Self {
        Self { project: project.into(), dataset: Some(dataset.into()), table: Some(table.into()) }
    }

    /// The project; a domain-scoped one keeps its colon (`example.com:project`).
    #[must_use]
    pub fn project(&self) -> &str {
        &self.project
    }

    /// The dataset, where the URI names one.
    #[must_use]
    pub fn dataset(&self) -> Option<&str> {
        self.dataset.as_deref()
    }

    /// The table, where the URI names one.
    #[must_use]
    pub fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }
}

impl FromStr for BigQueryUri {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = |why| ParseError::new("BigQuery URI", text, why);
        let rest = text.strip_prefix("bq://").ok_or_else(|| wrong("it does not start with bq://"))?;
        // A domain-scoped project has a dot before its colon.
        let (domain, rest) = match rest.split_once(':') {
            Some((domain, rest)) => (Some(domain), rest),
            None => (None, rest),
        };
        let mut parts = rest.split('.');
        let project = parts.next().unwrap_or_default();
        let (dataset, table) = (parts.next(), parts.next());
        if parts.next().is_some() {
            return Err(wrong("it has more than the three parts project.dataset.table"));
        }
        if project.is_empty() || dataset == Some("") || table == Some("") {
            return Err(wrong("a part of project.dataset.table is empty"));
        }
        let project = domain.map_or_else(|| project.to_owned(), |domain| format!("{domain}:{project}"));
        Ok(Self { project, dataset: dataset.map(str::to_owned), table: table.map(str::to_owned) })
    }
}

impl fmt::Display for BigQueryUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bq://{}", self.project)?;
        if let Some(dataset) = &self.dataset {
            write!(f, ".{dataset}")?;
        }
        if let Some(table) = &self.table {
            write!(f, ".{table}")?;
        }
        Ok(())
    }
}

macro_rules! serde_as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}
pub(crate) use serde_as_text;

serde_as_text!(GcsUri);
serde_as_text!(BigQueryUri);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gcs_uri_keeps_its_object_verbatim() {
        let uri: GcsUri = "gs://b/out/prediction-model-2025-03-19T09:34:27.764709Z/*.jsonl".parse().unwrap();
        assert_eq!(uri.bucket(), "b");
        assert_eq!(uri.object(), "out/prediction-model-2025-03-19T09:34:27.764709Z/*.jsonl");
        assert_eq!(uri.to_string(), "gs://b/out/prediction-model-2025-03-19T09:34:27.764709Z/*.jsonl");
    }

    #[test]
    fn a_folder_has_one_slash_and_a_whole_bucket_none() {
        let joined = |text: &str| text.parse::<GcsUri>().unwrap().join("x").to_string();
        assert_eq!(joined("gs://b/a"), "gs://b/a/x");
        assert_eq!(joined("gs://b/a//"), "gs://b/a/x");
        assert_eq!(joined("gs://b"), "gs://b/x");
        assert_eq!(joined("gs://b/"), "gs://b/x");
    }

    #[test]
    fn what_is_no_uri_is_said() {
        let why = |text: &str| text.parse::<GcsUri>().unwrap_err().to_string();
        assert_eq!(why("s3://b/x"), r#""s3://b/x" is not a Cloud Storage URI: it does not start with gs://"#);
        assert_eq!(why("gs:///x"), r#""gs:///x" is not a Cloud Storage URI: it names no bucket"#);
        assert!(why("gs://Bucket/x").contains("lowercase"));
        assert!("bq://p..t".parse::<BigQueryUri>().unwrap_err().to_string().contains("empty"));
        assert!("bq://p.d.t.x".parse::<BigQueryUri>().is_err());
    }

    #[test]
    fn a_bigquery_uri_names_a_project_a_dataset_or_a_table() {
        for text in ["bq://p", "bq://p.d", "bq://p.d.t", "bq://example.com:p.d.t"] {
            assert_eq!(text.parse::<BigQueryUri>().unwrap().to_string(), text);
        }
        let table: BigQueryUri = "bq://example.com:p.d.t".parse().unwrap();
        assert_eq!((table.project(), table.dataset(), table.table()), ("example.com:p", Some("d"), Some("t")));
    }
}
