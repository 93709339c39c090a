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

/// A page: objects and common prefixes, together at most as many as were asked for.
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
        let found = objects.list(&bucket, &query.prefix)?;
        Ok::<_, ApiError>(if soft_deleted { Page::default() } else { query.page(found) })
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

    /// Picks a page from the objects under the prefix, which are sorted by name.
    fn page(&self, found: Vec<ObjectMeta>) -> Page {
        let mut page = Page::default();
        let mut last = None::<String>;
        for object in found {
            if !self.includes(&object.name) {
                continue;
            }
            let group = self.group(&object.name);
            let entry = group.unwrap_or(&object.name);
            let seen = match &self.after {
                Some(after) => entry <= after.as_str(),
                None => false,
            };
            let again = group.is_some() && last.as_deref() == Some(entry);
            if seen {
                continue;
            }
            if !again {
                if page.objects.len() + page.prefixes.len() == self.limit {
                    page.next = last_entry(&page);
                    break;
                }
                last = group.map(str::to_owned);
                page.prefixes.extend(last.clone());
            }
            let trailing = group == Some(object.name.as_str()) && self.include_trailing_delimiter;
            if group.is_none() || trailing {
                page.objects.push(object);
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

/// The greatest entry of a page: entries come in order, so it is the last of either kind.
fn last_entry(page: &Page) -> Option<String> {
    let object = page.objects.last().map(|object| object.name.clone());
    object.max(page.prefixes.last().cloned())
}
