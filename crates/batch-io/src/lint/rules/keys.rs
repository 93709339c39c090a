//! Rules about keys and what else stands beside the request.

use super::{RuleExample, rules};

rules! { TABLE:
    MISSING_KEY = "B301" "missing-key", Warning, Certain, {
        summary: "lines without a `key`",
        why: "Predictions come back in another order. Without a key they can be told apart by labels or by the request itself only.",
        help: "give each line a key of its own, beginning with a letter: {\"key\": \"r0\", \"request\": …}",
        bad: RuleExample::lines(r#"{"request":{"contents":[{"parts":[{"text":"Hi"}]}]}}"#),
        good: RuleExample::lines(r#"{"key":"r0","request":{"contents":[{"parts":[{"text":"Hi"}]}]}}"#),
    }
    DUPLICATE_KEY = "B302" "duplicate-key", Warning, Certain, {
        summary: "a key that another line has as well",
        why: "The service answers both; which prediction belongs to which record cannot be told, and both are paid.",
        help: "give each line a key of its own",
        bad: RuleExample::lines("{\"key\":\"a\",\"request\":{\"contents\":[{\"parts\":[{\"text\":\"Hi\"}]}]}}\n{\"key\":\"a\",\"request\":{\"contents\":[{\"parts\":[{\"text\":\"Ho\"}]}]}}"),
        good: RuleExample::lines("{\"key\":\"a\",\"request\":{\"contents\":[{\"parts\":[{\"text\":\"Hi\"}]}]}}\n{\"key\":\"b\",\"request\":{\"contents\":[{\"parts\":[{\"text\":\"Ho\"}]}]}}"),
    }
    RETYPED_KEY = "B303" "retyped-key", Warning, Likely, {
        summary: "keys that are numbers or booleans on every line",
        why: "The import makes numbers of them: \"007\" comes back as 7, and long ones may lose digits.",
        help: "put a letter before each: \"r7\"",
        bad: RuleExample::lines(r#"{"key":"007","request":{"contents":[{"parts":[{"text":"Hi"}]}]}}"#),
        good: RuleExample::lines(r#"{"key":"r007","request":{"contents":[{"parts":[{"text":"Hi"}]}]}}"#),
    }
    RESERVED_NAME = "B304" "reserved-name", Warning, Likely, {
        summary: "a pass-through field named `response`, `status` or `processed_time`",
        why: "The service writes these names into each prediction: what stands here is overwritten, or the row is taken for one that is done and not run.",
        help: "rename the field",
        bad: RuleExample::lines(r#"{"key":"r0","status":"new","request":{"contents":[{"parts":[{"text":"Hi"}]}]}}"#),
        good: RuleExample::lines(r#"{"key":"r0","state":"new","request":{"contents":[{"parts":[{"text":"Hi"}]}]}}"#),
    }
    PASS_THROUGH_TYPE = "B305" "pass-through-type", Warning, Likely, {
        summary: "a pass-through field that is an object or an array",
        why: "Scalars come back as they are; objects and arrays become records of the import, with nulls added and names sorted.",
        help: "write it as several scalars, or as a string",
        bad: RuleExample::lines(r#"{"key":"r0","meta":{"page":1},"request":{"contents":[{"parts":[{"text":"Hi"}]}]}}"#),
        good: RuleExample::lines(r#"{"key":"r0","meta_page":1,"request":{"contents":[{"parts":[{"text":"Hi"}]}]}}"#),
    }
}
