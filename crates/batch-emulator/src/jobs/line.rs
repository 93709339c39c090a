//! One prediction line.

use super::config::LineGeneration;
use super::import::ADDED;
use super::memo::{Memo, Met};
use crate::bigquery::Members;
use crate::json::{Json, Shape, View, write_text};

/// The parts of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// The row as it was imported.
    pub(super) row: Json<'a>,
    /// The request as it stood in the row, where it is to come back like that.
    pub(super) verbatim: Option<&'a str>,
    /// The members as they stood in the row, where they are to come back like that.
    pub(super) exact: Option<&'a Members<'a>>,
    /// What all rows look like, for the nulls.
    pub(super) shape: &'a Shape,
    /// The members of the request that are known from other rows.
    pub(super) known: (&'a Memo, &'a Met),
    /// Whether other members come back.
    pub(super) pass_through: bool,
    /// `""`, or what went wrong.
    pub(super) status: &'a str,
    /// The response as JSON.
    pub(super) response: &'a [u8],
    /// When the row was done.
    pub(super) processed: &'a str,
}

/// Writes the line with its line end.
pub(super) fn write(line: &Line<'_>, generation: LineGeneration, out: &mut Vec<u8>) {
    out.push(b'{');
    match generation {
        LineGeneration::First => {
            member("status", out);
            write_text(line.status, out);
            member("processed_time", out);
            write_text(line.processed, out);
            // Where the first generation had other members is not known.
            write_others(line, out);
            member("request", out);
            write_request(line, out);
            member("response", out);
            out.extend_from_slice(line.response);
        }
        LineGeneration::Second => {
            write_others(line, out);
            member("request", out);
            write_request(line, out);
            member("status", out);
            write_text(line.status, out);
            member("response", out);
            out.extend_from_slice(line.response);
            member("processed_time", out);
            write_text(line.processed, out);
        }
    }
    out.extend_from_slice(b"}\n");
}

fn member(name: &str, out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn write_request(line: &Line<'_>, out: &mut Vec<u8>) {
    match (line.verbatim, line.row.get("request")) {
        (Some(verbatim), _) => out.extend_from_slice(verbatim.as_bytes()),
        (None, Some(request)) => {
            let (memo, met) = line.known;
            Shape::write_object_echo(line.shape.field("request"), request, &|value| memo.echo(met, value), out);
        }
        (None, None) => out.extend_from_slice(b"null"),
    }
}

fn write_others(line: &Line<'_>, out: &mut Vec<u8>) {
    let View::Object(members) = line.row.view() else {
        return;
    };
    if !line.pass_through {
        return;
    }
    if let Some(exact) = line.exact {
        for (name, value) in &exact.0 {
            if name != "request" && !ADDED.contains(&&**name) {
                if out.last() != Some(&b'{') {
                    out.push(b',');
                }
                write_text(name, out);
                out.push(b':');
                out.extend_from_slice(value.get().as_bytes());
            }
        }
        return;
    }
    for (name, value) in members.sorted() {
        if name == "request" || ADDED.contains(&name) {
            continue;
        }
        if out.last() != Some(&b'{') {
            out.push(b',');
        }
        write_text(name, out);
        out.push(b':');
        Shape::write_echo(line.shape.field(name), value, out);
    }
}
