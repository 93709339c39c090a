//! Lint on arbitrary bytes and arbitrary JSON: no panic, true places, fixes that mend.

use batch_io::{Finding, LintOptions};
use proptest::prelude::*;

use crate::lint::{lint, lint_with, mend};

/// JSON near to a request line: the API's names in every place, and every kind of value.
fn near_json() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "key",
        "request",
        "contents",
        "Contents",
        "role",
        "parts",
        "text",
        "labels",
        "generationConfig",
        "generation_config",
        "responseSchema",
        "responseJsonSchema",
        "enum",
        "properties",
        "type",
        "tools",
        "googleSearch",
        "model",
        "fileData",
        "fileUri",
        "mimeType",
        "inlineData",
        "data",
        "thinkingConfig",
        "thinkingBudget",
        "maxOutputTokens",
        "system_instruction",
        "status",
        "a.b",
        "",
    ]);
    let scalar = prop::sample::select(vec![
        "null",
        "true",
        "1",
        "-1.5e3",
        "\"\"",
        "\" \"",
        "\"7\"",
        "\"user\"",
        "\"Assistant\"",
        "\"STRING\"",
        "\"日本\\u00e9\\n\"",
        "\"gs://b/o.png\"",
        "\"image/png\"",
        "\"data:image/png;base64,AAAA\"",
        "{}",
        "[]",
        "\"application/json\"",
        "\"\\ud800\"",
    ])
    .prop_map(str::to_owned);
    let value = scalar.prop_recursive(7, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|elements| format!("[{}]", elements.join(", "))),
            prop::collection::vec((name.clone(), inner), 0..5).prop_map(|members| {
                let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    (value, any::<bool>()).prop_map(
        |(value, is_request)| {
            if is_request { format!(r#"{{"key":"k","request":{value}}}"#) } else { value }
        },
    )
}

fn check_places(bytes: &[u8], found: &[Finding]) {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    for finding in found {
        let Some(place) = &finding.place else { continue };
        let line = lines[usize::try_from(place.line).unwrap() - 1];
        let before: usize = lines[..usize::try_from(place.line).unwrap() - 1].iter().map(|line| line.len() + 1).sum();
        let at = usize::try_from(place.byte).unwrap() - before;
        assert!(at <= line.len());
        let text = std::str::from_utf8(&line[..at]).unwrap();
        assert_eq!(place.column, text.chars().count() as u64 + 1);
        // Of two members of the same name a pointer names the last.
        let is_clear = !found
            .iter()
            .any(|other| other.rule.name == "duplicate-member" && other.place.as_ref().unwrap().line == place.line);
        if let (true, Ok(value), false) =
            (is_clear, serde_json::from_slice::<serde_json::Value>(line), finding.pointer.is_empty())
        {
            assert!(value.pointer(&finding.pointer).is_some(), "{}", finding.pointer);
        }
        if let Some(fix) = &finding.fix {
            assert!(fix.range.start <= fix.range.end && fix.range.end <= line.len());
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_looked_at_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_places(&bytes, &lint_with(LintOptions::default(), &bytes));
        mend(&bytes);
    }

    #[test]
    fn any_json_is_looked_at_and_mended(lines in prop::collection::vec(near_json(), 1..4)) {
        let text = lines.join("\n");
        check_places(text.as_bytes(), &lint(&text));
        let mended = mend(text.as_bytes());
        // What was JSON still is.
        for (before, after) in text.lines().zip(mended.split(|byte| *byte == b'\n')) {
            if serde_json::from_str::<serde_json::Value>(before).is_ok() {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(after).is_ok());
            }
        }
    }
}
