//! The walk through a request beside the API's own description of it.

use batch_model::models::ModelInfo;
use batch_model::{GenerateContentRequest, ObjectShape, Shape};

use super::import::LONGEST_NAME;
use super::json::{Kind, Value, is_spelling_of};
use super::names::{Meant, is_also_known, like, meant};
use super::pointer::Pointer;
use super::report::{Report, quoted};
use super::{LintLimits, config, contents, files, rules, schema};

/// What the checks of a request look at beside it.
pub(super) struct Checks<'c, 'a> {
    pub(super) report: &'c mut Report<'a>,
    pub(super) limits: &'c LintLimits,
    pub(super) model: Option<&'static ModelInfo>,
}

impl Checks<'_, '_> {
    /// Looks at what stands under `request`.
    pub(super) fn request(&mut self, request: &Value<'_>) {
        let at = Pointer::Line.name("request");
        self.value(request, &Shape::Object(GenerateContentRequest::shape()), &at);
    }

    fn value(&mut self, value: &Value<'_>, shape: &Shape, at: &Pointer<'_>) {
        let fits = match (shape, &value.kind) {
            (_, Kind::Null)
            | (Shape::Any, _)
            | (Shape::String, Kind::String(_))
            | (Shape::Bool, Kind::Bool(_))
            | (Shape::Number, Kind::Number(_)) => true,
            (Shape::List(element), Kind::Array(elements)) => {
                for (index, value) in elements.iter().enumerate() {
                    self.value(value, element, &at.index(index));
                }
                true
            }
            // The service takes one where a list is due.
            (Shape::List(element), _) => return self.value(value, element, at),
            (Shape::Map(below), Kind::Object(members)) => {
                for member in members.iter().filter(|member| member.name.len() <= LONGEST_NAME) {
                    self.value(&member.value, below, &at.name(&member.name));
                }
                true
            }
            (Shape::Object(shape), Kind::Object(members)) => {
                // Empty objects fail the import before anybody looks into them.
                if !members.is_empty() {
                    self.object(value, shape, at);
                }
                true
            }
            (Shape::Enum(names), Kind::String(text)) => {
                if !names.iter().any(|name| name.eq_ignore_ascii_case(text)) {
                    self.unknown_value(value, text, names, at);
                }
                true
            }
            (Shape::Bool, Kind::String(text)) => matches!(&**text, "true" | "false"),
            (Shape::Integer | Shape::Enum(_), Kind::Number(_)) | (Shape::Integer, Kind::String(_)) => {
                value.number().is_some_and(|number| number.fract() == 0.0)
            }
            (Shape::Number, Kind::String(text)) => text.parse::<f64>().is_ok(),
            _ => false,
        };
        if !fits {
            self.wrong_type(value, due(shape), at);
        }
    }

    pub(super) fn wrong_type(&mut self, value: &Value<'_>, due: &str, at: &Pointer<'_>) {
        let what = match &value.kind {
            Kind::String(text) if text.chars().count() <= 40 => format!("the string {text:?}"),
            Kind::Number(text) => format!("the number {}", text.chars().take(40).collect::<String>()),
            _ => value.what().to_owned(),
        };
        self.report.add(&rules::WRONG_TYPE, value.start, at, format!("{what} where {due} is due"));
    }

    fn unknown_value(&mut self, value: &Value<'_>, text: &str, names: &'static [&'static str], at: &Pointer<'_>) {
        let upper = text.to_ascii_uppercase();
        let tail = format!("_{upper}");
        let like = names
            .iter()
            .find(|name| !upper.is_empty() && name.ends_with(&tail))
            .copied()
            .or_else(|| like(text, names.iter().copied()));
        let help = match like {
            Some(like) => format!("did you mean {like:?}?"),
            None => {
                let known: Vec<_> = names.iter().filter(|name| !name.ends_with("_UNSPECIFIED")).copied().collect();
                format!("use one of {}", known.join(", "))
            }
        };
        let message = format!("unknown value {}", quoted(text));
        self.report.add(&rules::UNKNOWN_VALUE, value.start, at, message).help(help);
    }

    fn object(&mut self, value: &Value<'_>, shape: &'static ObjectShape, at: &Pointer<'_>) {
        let mut seen: Vec<&'static str> = Vec::new();
        for (number, member) in value.members().iter().enumerate() {
            let at = at.name(&member.name);
            let Some(known) = shape.member(&member.name) else {
                if !is_also_known(shape, &member.name) {
                    self.unknown_member(value, shape, number, &at);
                }
                continue;
            };
            if member.value.is_null() {
                continue;
            }
            if seen.contains(&known.name()) && !value.members()[..number].iter().any(|m| m.name == member.name) {
                let message = format!("{:?} stands in both spellings in this object", known.name());
                self.report.add(&rules::DUPLICATE_MEMBER, member.start, &at, message);
            }
            seen.push(known.name());
            if shape.name() == "Schema" && known.name() == "enum" {
                continue;
            }
            self.value(&member.value, &known.shape(), &at);
        }
        match shape.name() {
            "GenerateContentRequest" => contents::request(self, value, at),
            "Content" => contents::content(self, value, at),
            "Part" => contents::part(self, value, at),
            "GenerationConfig" => config::generation(self, value, at),
            "ImageConfig" | "ImageResponseFormat" => config::image(self, value, at),
            "Retrieval" => config::retrieval(self, value, at),
            "ExaAiSearch" | "ParallelAiSearch" => config::secret(self, value, at),
            "VideoMetadata" => config::video(self, value, at),
            "Schema" => schema::schema(self, value, at),
            "FileData" => files::file_data(self, value, at),
            "Blob" => files::blob(self, value, at),
            "ReplicatedVoiceConfig" => files::base64(self, value, "voiceSampleAudio", at),
            _ => {}
        }
    }

    fn unknown_member(&mut self, value: &Value<'_>, shape: &'static ObjectShape, number: usize, at: &Pointer<'_>) {
        let member = &value.members()[number];
        let name = &*member.name;
        if shape.name() == "GenerateContentRequest" && name == "model" {
            // A request of nothing else would be left without members.
            let fix = removal(value, number).map(|range| self.report.replace(range, ""));
            let message = "the request names a model, and so does the job";
            self.report.add(&rules::MODEL_IN_REQUEST, member.start, at, message).fix = fix;
            return;
        }
        let meant = meant(shape, name);
        if shape.name() == "Schema" && !matches!(meant, Meant::Spelling(_)) {
            return schema::unknown_keyword(self, member, at);
        }
        let mut fix = None;
        let help = match meant {
            Meant::Spelling(spelling) => {
                let is_there =
                    value.members().iter().any(|m| is_spelling_of(&m.name, spelling) || &*m.name == spelling);
                if !is_there {
                    fix = Some(self.report.replace(member.start..member.name_end, format!("\"{spelling}\"")));
                }
                Some(format!("write {spelling:?}"))
            }
            Meant::Like(like) => Some(format!("did you mean {like:?}?")),
            Meant::Elsewhere(path) => Some(format!("did you mean request.{path}?")),
            Meant::Unknown => None,
        };
        let finding = self.report.add(
            &rules::UNKNOWN_FIELD,
            member.start,
            at,
            format!("unknown field {} in {}", quoted(name), shape.name()),
        );
        if let Some(help) = help {
            finding.help(help);
        }
        finding.fix = fix;
    }
}

/// The bytes of a member and of one comma beside it; `None` for an only member.
fn removal(object: &Value<'_>, number: usize) -> Option<std::ops::Range<usize>> {
    let members = object.members();
    let member = members.get(number)?;
    if let Some(next) = members.get(number + 1) {
        return Some(member.start..next.start);
    }
    let before = members.get(number.checked_sub(1)?)?;
    Some(before.value.end..member.value.end)
}

/// What is due where the API has this shape.
fn due(shape: &Shape) -> &'static str {
    match shape {
        Shape::String => "a string",
        Shape::Bool => "true or false",
        Shape::Integer => "an integer",
        Shape::Number => "a number",
        Shape::Enum(_) => "a name",
        Shape::List(_) => "an array",
        _ => "an object",
    }
}
