//! The operations that deletions return. They are done from the start.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::time::{from_micros, proto};

/// The deletion of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Operation {
    /// The last part of the name.
    pub(super) id: u64,
    pub(super) project: u64,
    pub(super) location: String,
    /// Microseconds since 1970.
    pub(super) created: i64,
}

impl Operation {
    /// `projects/NUMBER/locations/LOCATION/operations/ID`.
    pub(super) fn name(&self) -> String {
        format!("projects/{}/locations/{}/operations/{}", self.project, self.location, self.id)
    }

    /// The operation as the API of that version shows it.
    pub(super) fn show(&self, version: &str) -> Value {
        let time = proto(from_micros(self.created));
        json!({
            "name": self.name(),
            "metadata": {
                "@type": format!("type.googleapis.com/google.cloud.aiplatform.{version}.DeleteOperationMetadata"),
                "genericMetadata": { "createTime": time, "updateTime": time },
            },
            "done": true,
            "response": { "@type": "type.googleapis.com/google.protobuf.Empty" },
        })
    }
}
