//! Rules about the request: its members, the turns and their parts, the labels.

use super::{part, request, rules, schema, with};

rules! { TABLE:
    UNKNOWN_FIELD = "B201" "unknown-field", Error, Likely fixed, {
        summary: "a member that the API does not have",
        why: "The service refuses the row: Unknown name, cannot find field.",
        help: "remove it, or write it as the API does",
        bad: with!(r#""thinking_config":{"thinkingBudget":0}"#),
        good: with!(r#""generationConfig":{"thinking_config":{"thinkingBudget":0}}"#),
    }
    WRONG_TYPE = "B202" "wrong-type", Error, Likely, {
        summary: "a value of another type than the API's",
        why: "The service refuses the row: Invalid value.",
        help: "write the value as the type that is due",
        bad: with!(r#""generationConfig":{"temperature":"low"}"#),
        good: with!(r#""generationConfig":{"temperature":0.2}"#),
    }
    UNKNOWN_VALUE = "B203" "unknown-value", Error, Likely, {
        summary: "a name that is none of those which the API has for this member",
        why: "The service refuses the row: Invalid value. Upper and lower case are both taken.",
        help: "use one of the API's names",
        bad: with!(r#""safetySettings":[{"category":"HATE_SPEECH","threshold":"OFF"}]"#),
        good: with!(r#""safetySettings":[{"category":"HARM_CATEGORY_HATE_SPEECH","threshold":"off"}]"#),
    }
    MODEL_IN_REQUEST = "B204" "model-in-request", Warning, Likely fixed, {
        summary: "`model` in a request",
        why: "The job's model answers all rows; the one in the row is not used.",
        help: "name the model in the job, and leave it out here",
        bad: with!(r#""model":"gemini-2.5-pro""#),
        good: request!(r#""contents":[{"role":"user","parts":[{"text":"Hi"}]}]"#),
    }
    NO_CONTENTS = "B205" "no-contents", Error, Certain, {
        summary: "a request without contents",
        why: "The service refuses the row: at least one contents field is required.",
        help: "add a turn of the user: {\"role\": \"user\", \"parts\": [{\"text\": …}]}",
        bad: request!(r#""contents":[]"#),
        good: request!(r#""contents":[{"role":"user","parts":[{"text":"Hi"}]}]"#),
    }
    UNKNOWN_ROLE = "B206" "unknown-role", Error, Certain fixed, {
        summary: "a role that is neither `user` nor `model`",
        why: "The service refuses the row: Please use a valid role: user, model.",
        help: "use \"user\" or \"model\"",
        bad: request!(r#""contents":[{"role":"assistant","parts":[{"text":"Hi"}]}]"#),
        good: request!(r#""contents":[{"role":"model","parts":[{"text":"Hi"}]}]"#),
    }
    NO_PARTS = "B207" "no-parts", Error, Certain, {
        summary: "a turn without parts",
        why: "The service refuses the row: it must include at least one parts field.",
        help: "add a part: {\"text\": …}",
        bad: request!(r#""contents":[{"role":"user"}]"#),
        good: request!(r#""contents":[{"role":"user","parts":[{"text":"Hi"}]}]"#),
    }
    PART_WITHOUT_DATA = "B208" "part-without-data", Error, Certain, {
        summary: "a part with no text, file, call or other data",
        why: "The service refuses the row: it must have a text parameter.",
        help: "give the part one of text, inlineData, fileData, functionCall, functionResponse, executableCode, codeExecutionResult or audioTranscription",
        bad: part!(r#""thought":true"#),
        good: part!(r#""text":"Hi","thought":true"#),
    }
    PART_WITH_SEVERAL = "B209" "part-with-several", Error, Likely, {
        summary: "a part with several kinds of data",
        why: "The service refuses the row: the oneof field is already set.",
        help: "make a part of its own for each",
        bad: part!(r#""text":"What is this?","fileData":{"fileUri":"gs://bucket/a.png","mimeType":"image/png"}"#),
        good: part!(r#""text":"What is this?"},{"fileData":{"fileUri":"gs://bucket/a.png","mimeType":"image/png"}"#),
    }
    EMPTY_TEXT = "B210" "empty-text", Error, Certain, {
        summary: "a text of no characters",
        why: "The service refuses the row: it has an empty text parameter.",
        help: "leave the part out, or give it a text",
        bad: part!(r#""text":"""#),
        good: part!(r#""text":"Hi""#),
    }
    BLANK_TEXT = "B211" "blank-text", Warning, Likely, {
        summary: "a text of nothing but white space",
        why: "The model answers all the same, to nothing, and the row is paid.",
        help: "leave the record out, or find out why its text is missing",
        bad: part!(r#""text":" \n""#),
        good: part!(r#""text":"Hi""#),
    }
    SYSTEM_NOT_TEXT = "B212" "system-not-text", Warning, Likely, {
        summary: "a system instruction with something else than text",
        why: "The system instruction takes text; files in it are refused or not looked at.",
        help: "move the file into a turn of contents",
        bad: with!(r#""systemInstruction":{"parts":[{"fileData":{"fileUri":"gs://bucket/a.pdf","mimeType":"application/pdf"}}]}"#),
        good: with!(r#""systemInstruction":{"parts":[{"text":"Be brief."}]}"#),
    }
    LABEL_KEY = "B221" "label-key", Error, Certain, {
        summary: "a label's key that breaks the rule of labels",
        why: "The service refuses the row: keys begin with a lowercase letter and have at most 63 lowercase letters, digits, `_` and `-`; letters of any script will do.",
        help: "rename the label",
        bad: with!(r#""labels":{"Team":"search"}"#),
        good: with!(r#""labels":{"team":"search"}"#),
    }
    LABEL_VALUE = "B222" "label-value", Error, Certain, {
        summary: "a label's value that breaks the rule of labels",
        why: "The service refuses the row: values have at most 63 lowercase letters, digits, `_` and `-`; letters of any script will do, and they may be empty.",
        help: "replace what is not allowed",
        bad: with!(r#""labels":{"team":"Search & Find"}"#),
        good: with!(r#""labels":{"team":"search_find"}"#),
    }
    TOO_MANY_LABELS = "B223" "too-many-labels", Error, Likely, {
        summary: "more than 64 labels in one request",
        why: "Google Cloud's resources have 64 labels at most; the row is refused.",
        help: "leave labels out; pass-through fields of the line have no such limit",
        bad: super::RuleExample::none(),
        good: super::RuleExample::none(),
    }
    RETYPED_LABEL = "B224" "retyped-label", Error, Likely, {
        summary: "a label whose value is a number or a boolean on every line",
        why: "The import makes a column of numbers of it; a number is no label, and every row is refused.",
        help: "put a letter before it: \"n7\"",
        bad: with!(r#""labels":{"id":"7"}"#),
        good: with!(r#""labels":{"id":"n7"}"#),
    }
    SECRET = "B231" "secret-in-request", Warning, Certain, {
        summary: "an API key in a request",
        why: "The request comes back in each prediction, and lies on Cloud Storage with it.",
        help: "use a tool that needs no key, and revoke this one",
        bad: with!(r#""tools":[{"exaAiSearch":{"apiKey":"k-1"}}]"#),
        good: with!(r#""tools":[{"googleSearch":{"excludeDomains":[]}}]"#),
    }
    UNDECLARED_PROPERTY = "B232" "undeclared-property", Warning, Likely, {
        summary: "`required` or `propertyOrdering` with a name that `properties` does not have",
        why: "The service refuses it, or the model makes up a member of its own.",
        help: "add the property, or correct the name",
        bad: schema!(r#""type":"OBJECT","properties":{"name":{"type":"STRING"}},"required":["nmae"]"#),
        good: schema!(r#""type":"OBJECT","properties":{"name":{"type":"STRING"}},"required":["name"]"#),
    }
}
