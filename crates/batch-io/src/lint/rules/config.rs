//! Rules about how the answer is made.

use super::{rules, schema, with, with_config};

rules! { TABLE:
    TWO_SCHEMAS = "B401" "two-schemas", Error, Certain, {
        summary: "`responseSchema` together with `responseJsonSchema`",
        why: "They exclude each other; the service refuses the row.",
        help: "keep one: responseSchema is the safer in a batch",
        bad: with_config!(r#""responseMimeType":"application/json","responseSchema":{"type":"STRING"},"responseJsonSchema":{"type":"string"}"#),
        good: with_config!(r#""responseMimeType":"application/json","responseSchema":{"type":"STRING"}"#),
    }
    SCHEMA_WITHOUT_JSON = "B402" "schema-without-json", Error, Certain fixed, {
        summary: "a schema for the answer without a `responseMimeType` of JSON",
        why: "The service refuses the row: a schema needs application/json, or text/x.enum for an enum.",
        help: "add \"responseMimeType\": \"application/json\"",
        bad: with_config!(r#""responseSchema":{"type":"STRING"}"#),
        good: with_config!(r#""responseMimeType":"application/json","responseSchema":{"type":"STRING"}"#),
    }
    RESPONSE_MIME_TYPE = "B403" "response-mime-type", Error, Certain, {
        summary: "a `responseMimeType` that the service does not have",
        why: "The service refuses the row.",
        help: "use text/plain, application/json or text/x.enum",
        bad: with_config!(r#""responseMimeType":"json""#),
        good: with_config!(r#""responseMimeType":"application/json""#),
    }
    SCHEMA_KEYWORD = "B404" "schema-keyword", Error, Likely, {
        summary: "a keyword in a Schema that the API does not have",
        why: "The service refuses the row: Unknown name, cannot find field. Its Schema is a part of OpenAPI's; JSON Schema goes into `responseJsonSchema`.",
        help: "remove it, or say it in the description",
        bad: schema!(r#""type":"STRING","const":"yes""#),
        good: schema!(r#""type":"STRING","enum":["yes"]"#),
    }
    JSON_SCHEMA_KEYWORD = "B405" "json-schema-keyword", Warning, Likely, {
        summary: "a JSON Schema keyword that the service does not look at",
        why: "The answer need not obey it.",
        help: "say it in the description, and check the answers",
        bad: with_config!(r#""responseMimeType":"application/json","responseJsonSchema":{"type":"number","multipleOf":5}"#),
        good: with_config!(r#""responseMimeType":"application/json","responseJsonSchema":{"type":"number"}"#),
    }
    ENUM_NOT_TEXT = "B406" "enum-not-text", Error, Likely, {
        summary: "a value of a Schema's `enum` that is no string",
        why: "The API has strings there, whatever the type; the service refuses the row.",
        help: "write it as a string",
        bad: schema!(r#""type":"STRING","enum":[1]"#),
        good: schema!(r#""type":"STRING","enum":["one","two"]"#),
    }
    EMPTY_ENUM = "B407" "empty-enum", Warning, Likely, {
        summary: "an `enum` with no values, or with an empty one",
        why: "No answer fits an empty enum, and the service refuses empty values.",
        help: "name the values, or leave enum out; for \"none of them\" use a word",
        bad: schema!(r#""type":"STRING","enum":["sport",""]"#),
        good: schema!(r#""type":"STRING","enum":["sport","none"]"#),
    }
    DUPLICATE_ENUM = "B408" "duplicate-enum", Warning, Likely, {
        summary: "an `enum` that has a value twice",
        why: "One of the two was probably meant to be another; the service may refuse it.",
        help: "remove or correct one of them",
        bad: schema!(r#""type":"STRING","enum":["sport","tech","sport"]"#),
        good: schema!(r#""type":"STRING","enum":["sport","tech"]"#),
    }
    OUT_OF_RANGE = "B411" "out-of-range", Error, Certain, {
        summary: "a number that the service does not take",
        why: "The service refuses the row and names the range.",
        help: "choose a number in the range",
        bad: with_config!(r#""temperature":2.5"#),
        good: with_config!(r#""temperature":2"#),
    }
    BUDGET_AND_LEVEL = "B412" "budget-and-level", Error, Likely, {
        summary: "`thinkingBudget` together with `thinkingLevel`",
        why: "Only one of them may be set; the service refuses the row.",
        help: "use thinkingBudget for Gemini 2.5 and thinkingLevel from Gemini 3 on",
        bad: with_config!(r#""thinkingConfig":{"thinkingBudget":512,"thinkingLevel":"LOW"}"#),
        good: with_config!(r#""thinkingConfig":{"thinkingBudget":512}"#),
    }
    THINKING_EATS_OUTPUT = "B413" "thinking-eats-output", Warning, Certain, {
        summary: "an output limit that thinking can use up",
        why: "Thoughts count as output and are paid: the answer is cut with MAX_TOKENS, often before its first word.",
        help: "raise maxOutputTokens above the budget, or lower the budget",
        bad: with_config!(r#""maxOutputTokens":1000,"thinkingConfig":{"thinkingBudget":1024}"#),
        good: with_config!(r#""maxOutputTokens":2048,"thinkingConfig":{"thinkingBudget":1024}"#),
    }
    OTHER_THINKING = "B414" "other-thinking", Warning, Likely, {
        summary: "a thinking setting that the job's model does not have",
        why: "Budgets are for Gemini 2.5, levels from Gemini 3 on; the other is refused or taken for something near.",
        help: "use the setting of the model's generation",
        bad: with_config!(r#""thinkingConfig":{"thinkingBudget":0}"#).for_model("gemini-3.8-flash"),
        good: with_config!(r#""thinkingConfig":{"thinkingLevel":"MINIMAL"}"#).for_model("gemini-3.8-flash"),
    }
    NOT_IN_BATCH = "B421" "not-in-batch", Error, Certain, {
        summary: "a feature that batches do not have",
        why: "Explicit caches, RAG and pictures above 1K are for online requests; the service refuses the row.",
        help: "leave it out, or send the request online",
        bad: with!(r#""cachedContent":"projects/p/locations/l/cachedContents/7""#),
        good: super::request!(r#""contents":[{"role":"user","parts":[{"text":"Hi"}]}]"#),
    }
    ARMOR_AND_SAFETY = "B422" "armor-and-safety", Error, Certain, {
        summary: "`modelArmorConfig` together with `safetySettings`",
        why: "They exclude each other; the service refuses the row.",
        help: "keep one of them",
        bad: with!(r#""modelArmorConfig":{"promptTemplateName":"projects/p/locations/l/templates/t"},"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}]"#),
        good: with!(r#""modelArmorConfig":{"promptTemplateName":"projects/p/locations/l/templates/t"}"#),
    }
}
