//! What is known about buckets and objects, and how a call on them can fail.

use std::collections::BTreeMap;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BucketMeta {
    /// The name, unique in the emulator.
    pub(crate) name: String,
    /// The number of the project that it was made in.
    pub(crate) project_number: u64,
    /// When it was made.
    #[serde(with = "micros")]
    pub(crate) created: Timestamp,
    /// When its settings changed last.
    #[serde(with = "micros")]
    pub(crate) updated: Timestamp,
    /// Counts the changes of its settings, from 1.
    pub(crate) metageneration: i64,
    /// The settings as the client wrote them: location, labels, lifecycle and so on. They
    /// are kept and shown, and have no effect.
    pub(crate) settings: Map<String, Value>,
}

/// The attributes of an object that a client chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Attributes {
    pub(crate) content_type: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) content_language: Option<String>,
    pub(crate) cache_control: Option<String>,
    pub(crate) custom_time: Option<String>,
    pub(crate) storage_class: Option<String>,
    /// The client's own names and values.
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Attributes {
    /// Attributes with a content type and nothing else.
    pub(crate) fn of_type(content_type: &str) -> Attributes {
        Attributes { content_type: Some(content_type.to_owned()), ..Attributes::default() }
    }
}

/// An object, in its only generation: overwriting replaces it, deleting removes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ObjectMeta {
    pub(crate) bucket: String,
    pub(crate) name: String,
    /// Microseconds since 1970 at which it was written; grows with every write to the
    /// emulator.
    pub(crate) generation: i64,
    /// Counts the changes of its attributes, from 1.
    pub(crate) metageneration: i64,
    /// The length of the body in bytes.
    pub(crate) size: u64,
    /// The CRC-32C of the body.
    pub(crate) crc32c: u32,
    /// The MD5 of the body; composed objects and those of the emulator's own have none.
    pub(crate) md5: Option<[u8; 16]>,
    /// How many objects it was composed of; 0 where it was uploaded.
    pub(crate) components: u32,
    #[serde(with = "micros")]
    pub(crate) created: Timestamp,
    #[serde(with = "micros")]
    pub(crate) updated: Timestamp,
    pub(crate) attributes: Attributes,
}

impl ObjectMeta {
    /// The CRC-32C as the API writes it: base64 of the big-endian bytes.
    pub(crate) fn crc32c_base64(&self) -> String {
        STANDARD.encode(self.crc32c.to_be_bytes())
    }

    /// The MD5 as the API writes it: base64.
    pub(crate) fn md5_base64(&self) -> Option<String> {
        self.md5.map(|md5| STANDARD.encode(md5))
    }

    /// The entity tag: base64 of the generation and the metageneration as the fields 1
    /// and 2 of a protocol buffer, which is what the service's tags decode to.
    pub(crate) fn etag(&self) -> String {
        let mut bytes = vec![0x08];
        varint(self.generation.unsigned_abs(), &mut bytes);
        bytes.push(0x10);
        varint(self.metageneration.unsigned_abs(), &mut bytes);
        STANDARD.encode(bytes)
    }
}

impl BucketMeta {
    /// The entity tag: base64 of the metageneration as field 1 of a protocol buffer.
    pub(crate) fn etag(&self) -> String {
        let mut bytes = vec![0x08];
        varint(self.metageneration.unsigned_abs(), &mut bytes);
        STANDARD.encode(bytes)
    }
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// What must hold of the present object for a call to go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Preconditions {
    /// The generation there is; 0: there is no object.
    pub(crate) if_generation_match: Option<i64>,
    /// Any other generation than this; 0: there is an object.
    pub(crate) if_generation_not_match: Option<i64>,
    pub(crate) if_metageneration_match: Option<i64>,
    pub(crate) if_metageneration_not_match: Option<i64>,
}

impl Preconditions {
    /// Checks against the object there is, before a change.
    pub(crate) fn check(&self, present: Option<&ObjectMeta>) -> Result<(), StoreError> {
        let generation = present.map_or(0, |object| object.generation);
        self.check_numbers(generation, present.map(|object| object.metageneration))
    }

    /// Checks against the metageneration of a bucket, before a change.
    pub(crate) fn check_bucket(&self, bucket: &BucketMeta) -> Result<(), StoreError> {
        self.check_numbers(0, Some(bucket.metageneration))
    }

    /// Checks for a read, where "not match" means that the client has it already.
    pub(crate) fn check_read(&self, generation: i64, metageneration: i64) -> Result<(), StoreError> {
        match self.check_numbers(generation, Some(metageneration)) {
            Err(StoreError::ConditionNotMet(condition)) if condition.ends_with("-Not-Match") => {
                Err(StoreError::NotModified(condition))
            }
            checked => checked,
        }
    }

    fn check_numbers(&self, generation: i64, metageneration: Option<i64>) -> Result<(), StoreError> {
        let conditions = [
            ("If-Generation-Match", self.if_generation_match.is_none_or(|n| n == generation)),
            ("If-Metageneration-Match", self.if_metageneration_match.is_none_or(|n| Some(n) == metageneration)),
            ("If-Generation-Not-Match", self.if_generation_not_match != Some(generation)),
            (
                "If-Metageneration-Not-Match",
                self.if_metageneration_not_match.is_none() || self.if_metageneration_not_match != metageneration,
            ),
        ];
        match conditions.iter().find(|(_, holds)| !holds) {
            Some((condition, _)) => Err(StoreError::ConditionNotMet(condition)),
            None => Ok(()),
        }
    }
}

/// Why the store refused a call. `Display` is what the service says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("The specified bucket does not exist.")]
    NoBucket(String),
    #[error("No such object: {bucket}/{name}")]
    NoObject { bucket: String, name: String },
    #[error("Your previous request to create the named bucket succeeded and you already own it.")]
    BucketExists,
    #[error("The bucket you tried to delete is not empty.")]
    BucketNotEmpty,
    #[error("Invalid bucket name: '{0}'")]
    BucketName(String),
    #[error("Invalid object name: {0}")]
    ObjectName(&'static str),
    /// A condition failed.
    #[error("At least one of the pre-conditions you specified did not hold.")]
    ConditionNotMet(&'static str),
    /// The client that reads has it already.
    #[error("At least one of the pre-conditions you specified did not hold.")]
    NotModified(&'static str),
    /// The bytes that came are not those that the client meant to send.
    #[error("Provided {what} \"{given}\" doesn't match calculated {what} \"{computed}\".")]
    Checksum { what: &'static str, given: String, computed: String },
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Timestamps as microseconds since 1970.
mod micros {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_i64(time.as_microsecond())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Timestamp, D::Error> {
        Timestamp::from_microsecond(i64::deserialize(d)?).map_err(de::Error::custom)
    }
}
