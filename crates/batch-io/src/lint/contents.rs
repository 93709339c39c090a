//! Turns, parts and labels.

use batch_model::limits::{self, label_key_problem, label_value_problem};

use super::json::{Kind, Value};
use super::pointer::Pointer;
use super::report::quoted;
use super::request::Checks;
use super::{config, files, rules};

/// What a part may be; one of these.
const DATA: [&str; 8] = [
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "audioTranscription",
];

pub(super) fn request(checks: &mut Checks<'_, '_>, request: &Value<'_>, at: &Pointer<'_>) {
    match request.member("contents") {
        Some(member) if member.value.elements().is_empty() => {
            let at = at.name(&member.name);
            checks.report.add(&rules::NO_CONTENTS, member.value.start, &at, "contents without a turn");
        }
        Some(_) => {}
        None => {
            checks.report.add(&rules::NO_CONTENTS, request.start, at, "a request without contents");
        }
    }
    if let Some(system) = request.member("systemInstruction") {
        let at = at.name(&system.name);
        if let Some(parts) = system.value.member("parts") {
            let at = at.name(&parts.name);
            for (index, part) in parts.value.elements().iter().enumerate() {
                let other = DATA[1..].iter().find_map(|name| part.member(name));
                if let Some(other) = other {
                    let at = at.element(&parts.value, index);
                    let message = format!("the system instruction has {:?}", other.name);
                    checks.report.add(&rules::SYSTEM_NOT_TEXT, other.start, &at.name(&other.name), message);
                }
            }
        }
    }
    if let Some(member) = request.member("labels") {
        labels(checks, &member.value, &at.name(&member.name));
    }
    config::request(checks, request, at);
}

pub(super) fn content(checks: &mut Checks<'_, '_>, content: &Value<'_>, at: &Pointer<'_>) {
    // The role of a system instruction is not looked at.
    let is_turn = !matches!(at.last_name(), Some("systemInstruction" | "system_instruction"));
    if let Some(role) = content.get("role").filter(|_| is_turn)
        && let Some(text) = role.text()
        && !matches!(text, "" | "user" | "model")
    {
        let lower = text.to_lowercase();
        let meant = match &*lower {
            "assistant" | "model" => Some("model"),
            "user" => Some("user"),
            _ => None,
        };
        let help = match (&*lower, meant) {
            (_, Some(meant)) => format!("write {meant:?}"),
            ("system" | "developer", None) => "put its text into request.systemInstruction".to_owned(),
            ("function" | "tool", None) => "what a function gave is said by \"user\"".to_owned(),
            _ => rules::UNKNOWN_ROLE.help.to_owned(),
        };
        let fix = meant.map(|meant| checks.report.replace(role.start..role.end, format!("\"{meant}\"")));
        let message = format!("the role {} is neither \"user\" nor \"model\"", quoted(text));
        checks.report.add(&rules::UNKNOWN_ROLE, role.start, &at.name("role"), message).help(help).fix = fix;
    }
    let (parts, start) = match content.member("parts") {
        Some(member) => (member.value.elements(), member.value.start),
        None => (&[][..], content.start),
    };
    if parts.is_empty() {
        checks.report.add(&rules::NO_PARTS, start, at, "a turn without parts");
    }
}

pub(super) fn part(checks: &mut Checks<'_, '_>, part: &Value<'_>, at: &Pointer<'_>) {
    let data: Vec<_> = DATA.iter().filter_map(|name| part.member(name)).collect();
    // A member that the API does not have is said already; it was meant to be the data.
    let is_known = |name: &str| batch_model::Part::shape().member(name).is_some();
    if data.is_empty() && part.members().iter().all(|member| is_known(&member.name)) {
        checks.report.add(&rules::PART_WITHOUT_DATA, part.start, at, "a part without data");
    }
    if let [first, second, ..] = data[..] {
        let message = format!("a part with {:?} and {:?}", first.name, second.name);
        checks.report.add(&rules::PART_WITH_SEVERAL, second.start, &at.name(&second.name), message);
    }
    if let Some(text) = part.get("text")
        && let Kind::String(content) = &text.kind
    {
        let at = at.name("text");
        if content.is_empty() {
            checks.report.add(&rules::EMPTY_TEXT, text.start, &at, "a text of no characters");
        } else if content.trim().is_empty() {
            checks.report.add(&rules::BLANK_TEXT, text.start, &at, "a text of nothing but white space");
        }
    }
    files::base64(checks, part, "thoughtSignature", at);
}

fn labels(checks: &mut Checks<'_, '_>, labels: &Value<'_>, at: &Pointer<'_>) {
    let members = labels.members();
    if members.len() > limits::LABELS {
        let message = format!("{} labels", members.len());
        checks.report.add(&rules::TOO_MANY_LABELS, labels.start, at, message);
    }
    for member in members {
        let at = at.name(&member.name);
        if let Some(problem) = label_key_problem(&member.name) {
            let message = format!("the label's key {} {problem}", quoted(&member.name));
            checks.report.add(&rules::LABEL_KEY, member.start, &at, message);
        }
        match &member.value.kind {
            Kind::String(value) => {
                if let Some(problem) = label_value_problem(value) {
                    let message = format!("the label's value {} {problem}", quoted(value));
                    checks.report.add(&rules::LABEL_VALUE, member.value.start, &at, message);
                }
            }
            Kind::Null => {}
            _ => checks.wrong_type(&member.value, "a string", &at),
        }
    }
}
