//! Lists in pages, and the part of each job that is asked for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Map, Value};

use super::filter::Filter;
use super::record::Record;
use crate::envelope::ApiError;
use crate::json::hash;

/// The most jobs of a page, and how many there are where nobody says.
const PAGE: usize = 100;

/// One page.
#[derive(Debug)]
pub(super) struct Page<'r> {
    pub(super) jobs: Vec<&'r Record>,
    /// What brings the next page; none on the last.
    pub(super) next: Option<String>,
}

/// What a list was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) filter: &'a str,
    pub(super) page_size: Option<&'a str>,
    pub(super) page_token: Option<&'a str>,
}

/// Selects the jobs of a page out of all jobs of the parent, newest first.
pub(super) fn page<'r>(mut jobs: Vec<&'r Record>, asked: &Asked<'_>) -> Result<Page<'r>, ApiError> {
    let filter = Filter::parse(asked.filter)
        .map_err(|problem| invalid(format!("Invalid filter {:?}: {problem}.", asked.filter)))?;
    let size = match asked.page_size.map(str::parse::<i64>) {
        None | Some(Ok(0)) => PAGE,
        Some(Ok(size)) if size > 0 => usize::try_from(size).unwrap_or(PAGE).min(PAGE),
        _ => return Err(invalid("Invalid page size: it must not be negative.".to_owned())),
    };
    let after = asked
        .page_token
        .map(|token| read_token(token, asked.filter).ok_or_else(|| invalid("The page token is invalid.".to_owned())))
        .transpose()?;
    let place = |record: &Record| (record.created, record.serial);
    jobs.retain(|record| filter.matches(&record.subject()) && after.is_none_or(|after| place(record) < after));
    jobs.sort_by_key(|record| std::cmp::Reverse(place(record)));
    let more = jobs.len() > size;
    jobs.truncate(size);
    let next = match jobs.last() {
        Some(last) if more => Some(write_token(place(last), asked.filter)),
        _ => None,
    };
    Ok(Page { jobs, next })
}

/// A token holds the place of the last job shown, so that jobs made meanwhile disturb
/// nothing, and a mark of the filter, which must stay the same.
fn write_token((created, serial): (i64, u64), filter: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("1/{created}/{serial}/{:x}", hash(filter.as_bytes())))
}

fn read_token(token: &str, filter: &str) -> Option<(i64, u64)> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let mut parts = text.split('/');
    if parts.next() != Some("1") {
        return None;
    }
    let place = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    (parts.next()? == format!("{:x}", hash(filter.as_bytes()))).then_some(place)
}

/// Keeps the fields of a job that a mask names, in either spelling, with dots for what is
/// inside.
pub(super) fn mask(job: Map<String, Value>, mask: &str) -> Map<String, Value> {
    let paths: Vec<Vec<String>> = mask.split(',').map(|path| path.trim().split('.').map(camel).collect()).collect();
    if paths.iter().any(|path| path.first().is_some_and(|name| name == "*")) {
        return job;
    }
    keep(job, &paths.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn keep(object: Map<String, Value>, paths: &[&[String]]) -> Map<String, Value> {
    let mut kept = Map::new();
    for (name, value) in object {
        let below: Vec<&[String]> = paths
            .iter()
            .filter_map(|path| path.split_first())
            .filter(|(first, _)| **first == name)
            .map(|(_, rest)| rest)
            .collect();
        if below.is_empty() {
            continue;
        }
        let value = match value {
            Value::Object(inner) if below.iter().all(|path| !path.is_empty()) => Value::Object(keep(inner, &below)),
            other => other,
        };
        kept.insert(name, value);
    }
    kept
}

fn camel(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        if c == '_' {
            upper = true;
        } else if upper {
            camel.push(c.to_ascii_uppercase());
            upper = false;
        } else {
            camel.push(c);
        }
    }
    camel
}

fn invalid(message: String) -> ApiError {
    ApiError::rpc(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mask_keeps_what_it_names() {
        let job = json!({"name": "n", "displayName": "d", "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["u"]}}});
        let job = job.as_object().unwrap();
        for (fields, kept) in [
            ("name,display_name", json!({"name": "n", "displayName": "d"})),
            ("displayName, none", json!({"displayName": "d"})),
            ("input_config.gcs_source", json!({"inputConfig": {"gcsSource": {"uris": ["u"]}}})),
            ("inputConfig,inputConfig.gcsSource", json!({"inputConfig": job["inputConfig"]})),
            ("*", json!(job)),
        ] {
            assert_eq!(json!(mask(job.clone(), fields)), kept, "{fields}");
        }
    }
}
