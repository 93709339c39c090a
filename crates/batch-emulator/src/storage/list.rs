//! Listing objects: prefix, delimiter, offsets, pattern, pages.

use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::call::{Call, blocking, invalid};
use super::glob::Glob;
use super::meta::ObjectMeta;
use super::resource;
use crate::envelope::{self, ApiError};

/// The longest page, which is also the default.
const PAGE: usize = 1000;

/// What is asked for.
struct Query {
    prefix: String,
    delimiter: Option<String>,
    include_trailing_delimiter: bool,
    start: Option<String>,
    end: Option<String>,
    pattern: Option<Glob>,
    limit: usize,
    /// The last entry of the page before.
    after: Option<String>,
}

/// A page: objects and common prefixes, together at most as many as were asked for. (An
/// object that comes beside the prefix it is equal to does not count.)
#[derive(Default)]
struct Page {
    objects: Vec<ObjectMeta>,
    prefixes: Vec<String>,
    /// The last entry, if there are more.
    next: Option<String>,
}

/// `GET /storage/v1/b/{bucket}/o`. There are no old versions and no deleted objects to
/// list: `versions=true` lists what there is, `softDeleted=true` nothing.
pub(super) async fn list(call: Call, bucket: String) -> Result<Response, ApiError> {
    let query = Query::new(&call)?;
    let soft_deleted = call.flag("softDeleted");
    let objects = call.context.objects.clone();
    let page = blocking(move || {
        objects.scan(&bucket, &query.prefix, query.from(), |found| match soft_deleted {
            true => Page::default(),
            false => query.page(found),
        })
    })
    .await?;

    let mut reply = Map::new();
    reply.insert("kind".to_owned(), json!("storage#objects"));
    if let Some(next) = page.next {
        reply.insert("nextPageToken".to_owned(), json!(URL_SAFE_NO_PAD.encode(next)));
    }
    // As the service does, leave out what is empty.
    if !page.prefixes.is_empty() {
        reply.insert("prefixes".to_owned(), json!(page.prefixes));
    }
    if !page.objects.is_empty() {
        let items: Vec<Value> = page.objects.iter().map(|object| resource::object(&call, object)).collect();
        reply.insert("items".to_owned(), json!(items));
    }
    Ok(envelope::json(StatusCode::OK, &reply))
}

impl Query {
    fn new(call: &Call) -> Result<Query, ApiError> {
        let owned = |name| call.parameter(name).map(str::to_owned);
        let after = match call.parameter("pageToken") {
            None => None,
            Some(token) => Some(
                URL_SAFE_NO_PAD
                    .decode(token)
                    .ok()
                    .and_then(|bytes| String::from_utf8(bytes).ok())
                    .ok_or_else(|| invalid("Invalid page token.").at("parameter", "pageToken"))?,
            ),
        };
        let limit = match call.number("maxResults")? {
            None | Some(0) => PAGE,
            Some(limit) => usize::try_from(limit)
                .map_err(|_| invalid(format!("Invalid value for maxResults: {limit}")).at("parameter", "maxResults"))?
                .min(PAGE),
        };
        Ok(Query {
            prefix: owned("prefix").unwrap_or_default(),
            delimiter: owned("delimiter"),
            include_trailing_delimiter: call.flag("includeTrailingDelimiter"),
            start: owned("startOffset"),
            end: owned("endOffset"),
            pattern: call.parameter("matchGlob").map(Glob::new),
            limit,
            after,
        })
    }

    /// No name before this one can be on the page.
    fn from(&self) -> &str {
        let (start, after) = (self.start.as_deref(), self.after.as_deref());
        start.max(after).unwrap_or_default()
    }

    /// Picks a page from the objects under the prefix, which are sorted by name.
    fn page<'a>(&self, found: impl Iterator<Item = &'a ObjectMeta>) -> Page {
        let mut page = Page::default();
        // The entries so far, and the last of them: entries come in order.
        let (mut entries, mut last) = (0, None::<String>);
        for object in found {
            let group = self.group(&object.name);
            let entry = group.unwrap_or(&object.name);
            if !self.includes(&object.name) || self.after.as_deref().is_some_and(|after| entry <= after) {
                continue;
            }
            let again = group.is_some() && last.as_deref() == Some(entry);
            if !again {
                if entries == self.limit {
                    page.next = last;
                    break;
                }
                entries += 1;
                last = Some(entry.to_owned());
                page.prefixes.extend(group.map(str::to_owned));
            }
            let trailing = group == Some(object.name.as_str()) && self.include_trailing_delimiter;
            if group.is_none() || trailing {
                page.objects.push(object.clone());
            }
        }
        page
    }

    fn includes(&self, name: &str) -> bool {
        self.start.as_deref().is_none_or(|start| name >= start)
            && self.end.as_deref().is_none_or(|end| name < end)
            && self.pattern.as_ref().is_none_or(|glob| glob.matches(name))
    }

    /// The common prefix that stands for the object, if the delimiter makes one.
    fn group<'a>(&self, name: &'a str) -> Option<&'a str> {
        let delimiter = self.delimiter.as_deref()?;
        let rest = &name[self.prefix.len()..];
        let at = rest.find(delimiter)?;
        Some(&name[..self.prefix.len() + at + delimiter.len()])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::storage::Attributes;

    fn object(name: &str) -> ObjectMeta {
        ObjectMeta {
            bucket: "bucket".to_owned(),
            name: name.to_owned(),
            generation: 1,
            metageneration: 1,
            size: 0,
            crc32c: 0,
            md5: None,
            components: 0,
            created: jiff::Timestamp::UNIX_EPOCH,
            updated: jiff::Timestamp::UNIX_EPOCH,
            attributes: Attributes::default(),
        }
    }

    /// The names and prefixes of all pages, each page of at most `limit` entries.
    fn pages(names: &BTreeSet<String>, mut query: Query) -> (Vec<String>, Vec<String>) {
        let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
        loop {
            let found: Vec<_> = names
                .iter()
                .filter(|name| name.starts_with(&query.prefix) && name.as_str() >= query.from())
                .map(|name| object(name))
                .collect();
            let page = query.page(found.iter());
            let trailing = page.objects.iter().filter(|object| page.prefixes.contains(&object.name)).count();
            assert!(page.objects.len() + page.prefixes.len() - trailing <= query.limit);
            objects.extend(page.objects.into_iter().map(|object| object.name));
            prefixes.extend(page.prefixes);
            match page.next {
                Some(next) => query.after = Some(next),
                None => return (objects, prefixes),
            }
        }
    }

    proptest! {
        /// Whatever the names and the length of a page: every object under the prefix comes
        /// once, by itself or behind one common prefix.
        #[test]
        fn pages_have_everything_once(
            names in prop::collection::btree_set("[a-c/]{1,6}", 0..30),
            prefix in "[a-c/]{0,2}",
            delimiter in prop::option::of(Just("/".to_owned())),
            trailing in any::<bool>(),
            limit in 1_usize..8,
        ) {
            let query = Query {
                prefix: prefix.clone(),
                delimiter: delimiter.clone(),
                include_trailing_delimiter: trailing,
                start: None,
                end: None,
                pattern: None,
                limit,
                after: None,
            };
            let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
            for name in names.iter().filter(|name| name.starts_with(&prefix)) {
                let rest = &name[prefix.len()..];
                let end = delimiter.as_ref().and_then(|delimiter| rest.find(delimiter.as_str()));
                if let Some(end) = end {
                    prefixes.push(format!("{prefix}{}", &rest[..=end]));
                }
                if end.is_none() || (trailing && end == Some(rest.len() - 1)) {
                    objects.push(name.clone());
                }
            }
            prefixes.dedup();
            prop_assert_eq!(pages(&names, query), (objects, prefixes));
        }
    }
}
