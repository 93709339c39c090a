//! Rules about files and the lines in them.

use super::{RuleExample, rules};

rules! { TABLE:
    NOT_JSON = "B001" "not-json", Error, Certain, {
        summary: "a line that is not JSON",
        why: "The import fails, and with it the whole job: one odd line is enough.",
        help: "write one whole JSON object on each line",
        bad: RuleExample::lines(r#"{"key":"r0","request":{"contents":[{"parts":[{"text":"Hi"}]}]}"#),
        good: RuleExample::lines(r#"{"key":"r0","request":{"contents":[{"parts":[{"text":"Hi"}]}]}}"#),
    }
    NOT_UTF8 = "B002" "not-utf8", Error, Certain, {
        summary: "bytes that are not UTF-8",
        why: "The import reads UTF-8 only; it fails, and with it the whole job.",
        help: "save the file as UTF-8",
        bad: RuleExample::none(),
        good: RuleExample::none(),
    }
    NOT_AN_OBJECT = "B003" "not-an-object", Error, Certain, {
        summary: "a line that is JSON, but no object",
        why: "The import wants one object a line, and no array around them; it fails, and with it the whole job.",
        help: "write each request as an object on its own line: {\"key\": …, \"request\": {…}}",
        bad: RuleExample::lines(r#"["Hi"]"#),
        good: RuleExample::lines(r#"{"key":"r0","request":{"contents":[{"parts":[{"text":"Hi"}]}]}}"#),
    }
    NO_REQUEST = "B004" "no-request", Error, Certain fixed, {
        summary: "a line without `request`",
        why: "There is nothing for the model to answer: the service refuses the row or the job.",
        help: "put the request under \"request\": {\"key\": …, \"request\": {\"contents\": […]}}",
        bad: RuleExample::lines(r#"{"key":"r0","prompt":"Hi"}"#),
        good: RuleExample::lines(r#"{"key":"r0","request":{"contents":[{"parts":[{"text":"Hi"}]}]}}"#),
    }
    DUPLICATE_MEMBER = "B005" "duplicate-member", Warning, Likely, {
        summary: "an object with the same name twice, or in both spellings",
        why: "JSON leaves open which of the two counts; one is lost, or the row is refused.",
        help: "keep one of them",
        bad: super::with_config!(r#""temperature":0,"temperature":1"#),
        good: super::with_config!(r#""temperature":0"#),
    }
    BLANK_LINE = "B006" "blank-line", Warning, Likely, {
        summary: "a blank line",
        why: "Whether the import skips it is not documented; line numbers and records drift apart.",
        help: "delete the line",
        bad: RuleExample::lines("{\"key\":\"r0\",\"request\":{\"contents\":[{\"parts\":[{\"text\":\"Hi\"}]}]}}\n\n{\"key\":\"r1\",\"request\":{\"contents\":[{\"parts\":[{\"text\":\"Ho\"}]}]}}"),
        good: RuleExample::lines("{\"key\":\"r0\",\"request\":{\"contents\":[{\"parts\":[{\"text\":\"Hi\"}]}]}}\n{\"key\":\"r1\",\"request\":{\"contents\":[{\"parts\":[{\"text\":\"Ho\"}]}]}}"),
    }
    BYTE_ORDER_MARK = "B007" "byte-order-mark", Warning, Likely fixed, {
        summary: "a byte order mark at the beginning of a file",
        why: "Whether the import takes it is not documented; JSON does not allow it.",
        help: "save the file as UTF-8 without a byte order mark",
        bad: RuleExample::lines("\u{feff}{\"key\":\"r0\",\"request\":{\"contents\":[{\"parts\":[{\"text\":\"Hi\"}]}]}}"),
        good: RuleExample::lines("{\"key\":\"r0\",\"request\":{\"contents\":[{\"parts\":[{\"text\":\"Hi\"}]}]}}"),
    }
    CARRIAGE_RETURN = "B008" "carriage-return", Warning, Likely fixed, {
        summary: "a line that ends with a carriage return and a line feed",
        why: "JSON allows it, but not every tool that cuts files into lines does.",
        help: "save the file with line feeds alone",
        bad: RuleExample::lines("{\"key\":\"r0\",\"request\":{\"contents\":[{\"parts\":[{\"text\":\"Hi\"}]}]}}\r\n"),
        good: RuleExample::lines("{\"key\":\"r0\",\"request\":{\"contents\":[{\"parts\":[{\"text\":\"Hi\"}]}]}}\n"),
    }
    LINE_TOO_LONG = "B009" "line-too-long", Error, Likely, {
        summary: "a line of more than 100 MiB",
        why: "BigQuery, which reads the file at the import, takes no longer row; the whole job fails.",
        help: "refer to files on Cloud Storage by fileData instead of inlineData",
        bad: RuleExample::none(),
        good: RuleExample::none(),
    }
}
