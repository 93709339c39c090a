//! Rules about the import, which loads all lines into one table with one type for each path.

use super::{RuleExample, request, rules, schema, with, with_config};

rules! { TABLE:
    EMPTY_OBJECT = "B101" "empty-object", Error, Certain fixed, {
        summary: "an object without members, anywhere in the line",
        why: "The import has no type for it: it fails, and with it the whole job.",
        help: "leave the member out, or give the object a member",
        bad: with!(r#""tools":[{"googleSearch":{}}]"#),
        good: with!(r#""tools":[{"googleSearch":{"excludeDomains":[]}}]"#),
    }
    MIXED_TYPES = "B102" "mixed-types", Error, Likely, {
        summary: "values of different types at the same path",
        why: "The import gives each path one type for all lines; where two do not fit together it fails, and with it the whole job.",
        help: "write the value as the same type on every line",
        bad: RuleExample::lines("{\"key\":\"r0\",\"size\":\"small\",\"request\":{\"contents\":[{\"parts\":[{\"text\":\"Hi\"}]}]}}\n{\"key\":\"r1\",\"size\":3,\"request\":{\"contents\":[{\"parts\":[{\"text\":\"Ho\"}]}]}}"),
        good: RuleExample::lines("{\"key\":\"r0\",\"size\":\"small\",\"request\":{\"contents\":[{\"parts\":[{\"text\":\"Hi\"}]}]}}\n{\"key\":\"r1\",\"size\":\"3\",\"request\":{\"contents\":[{\"parts\":[{\"text\":\"Ho\"}]}]}}"),
    }
    RETYPED_TEXT = "B103" "retyped-text", Error, Likely, {
        summary: "a text that is a number or a boolean on every line",
        why: "The import takes a path whose values all look like numbers for a column of numbers; a number where a string is due fails every row.",
        help: "write something that is no number beside it, on one line at least: \"Answer: 42\"",
        bad: request!(r#""contents":[{"role":"user","parts":[{"text":"42"}]}]"#),
        good: request!(r#""contents":[{"role":"user","parts":[{"text":"The number 42"}]}]"#),
    }
    NESTED_ARRAY = "B104" "nested-array", Warning, Likely, {
        summary: "an array directly inside an array",
        why: "BigQuery, which reads the file at the import, has no arrays of arrays; the job may fail.",
        help: "put an object between the two, or write the inner array as a string",
        bad: schema!(r#""type":"ARRAY","items":{"type":"NUMBER"},"example":[[1,2]]"#),
        good: schema!(r#""type":"ARRAY","items":{"type":"NUMBER"},"example":[1,2]"#),
    }
    TOO_DEEP = "B105" "too-deep", Warning, Likely, {
        summary: "objects nested more than 15 deep",
        why: "BigQuery, which reads the file at the import, holds 15 levels of records; the job may fail.",
        help: "make the schema flatter, or put it into the prompt as text",
        bad: RuleExample::lines(r#"{"key":"r0","request":{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}}}}}}}}]},{"role":"user","parts":[{"text":"Hi"}]}]}}"#),
        good: RuleExample::lines(r#"{"key":"r0","request":{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":{"a":1}}}}]},{"role":"user","parts":[{"text":"Hi"}]}]}}"#),
    }
    ODD_NAME = "B106" "odd-name", Warning, Likely, {
        summary: "a name that cannot be the name of a column",
        why: "The names of all objects become columns at the import, also those in schemas and arguments; `$ref`, `@type` or a dot may fail the job.",
        help: "use letters, digits, `_` and `-`; in a schema, responseSchema has `ref` and `defs` for `$ref` and `$defs`",
        bad: with_config!(r#""responseMimeType":"application/json","responseJsonSchema":{"$ref":"https://example.com/schema.json"}"#),
        good: with_config!(r#""responseMimeType":"application/json","responseJsonSchema":{"type":"string"}"#),
    }
    TOO_MANY_FIELDS = "B107" "too-many-fields", Error, Likely, {
        summary: "more than 10,000 different paths in all lines together",
        why: "Each path becomes a column at the import, and BigQuery has 10,000; the whole job fails.",
        help: "do not make names out of data: write {\"name\": …, \"value\": …} pairs",
        bad: RuleExample::none(),
        good: RuleExample::none(),
    }
}
