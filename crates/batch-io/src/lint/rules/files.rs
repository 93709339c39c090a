//! Rules about files in a request.

use super::{RuleExample, part, rules};

rules! { TABLE:
    FILE_URI = "B501" "file-uri", Error, Certain, {
        summary: "a file whose address the service cannot read",
        why: "The service reads gs:// objects and public web addresses, YouTube's among them; it refuses the row.",
        help: "copy the file to Cloud Storage and write gs://BUCKET/OBJECT",
        bad: part!(r#""fileData":{"fileUri":"/home/me/a.png","mimeType":"image/png"}"#),
        good: part!(r#""fileData":{"fileUri":"gs://bucket/a.png","mimeType":"image/png"}"#),
    }
    NO_MIME_TYPE = "B502" "no-mime-type", Error, Certain, {
        summary: "a file without a MIME type",
        why: "It is required; the service refuses the row.",
        help: "add a mimeType",
        bad: part!(r#""fileData":{"fileUri":"gs://bucket/a.png"}"#),
        good: part!(r#""fileData":{"fileUri":"gs://bucket/a.png","mimeType":"image/png"}"#),
    }
    BAD_MIME_TYPE = "B503" "bad-mime-type", Error, Certain, {
        summary: "a MIME type of no kind that the service has",
        why: "The service refuses the row: the mimeType is not supported.",
        help: "use a type such as image/png, video/mp4, audio/mp3, application/pdf or text/plain",
        bad: part!(r#""fileData":{"fileUri":"gs://bucket/a.png","mimeType":"png"}"#),
        good: part!(r#""fileData":{"fileUri":"gs://bucket/a.png","mimeType":"image/png"}"#),
    }
    UNKNOWN_MIME_TYPE = "B504" "unknown-mime-type", Warning, Likely, {
        summary: "a MIME type that Gemini models are not known to read",
        why: "The service may refuse the row: the mimeType is not supported.",
        help: "convert the file: office documents to application/pdf, pictures to image/png",
        bad: part!(r#""fileData":{"fileUri":"gs://bucket/a","mimeType":"application/msword"}"#),
        good: part!(r#""fileData":{"fileUri":"gs://bucket/a","mimeType":"application/pdf"}"#),
    }
    MIME_TYPE_MISMATCH = "B505" "mime-type-mismatch", Warning, Likely, {
        summary: "a MIME type that does not go with the file's extension",
        why: "The service believes the MIME type; a file that is something else is refused or misread.",
        help: "correct the one that is wrong",
        bad: part!(r#""fileData":{"fileUri":"gs://bucket/a.pdf","mimeType":"image/png"}"#),
        good: part!(r#""fileData":{"fileUri":"gs://bucket/a.pdf","mimeType":"application/pdf"}"#),
    }
    BAD_BASE64 = "B506" "bad-base64", Error, Likely fixed, {
        summary: "bytes that are not base64",
        why: "The service refuses the row: Base64 decoding failed.",
        help: "encode the bytes as base64, without line breaks and without a data: prefix",
        bad: part!(r#""inlineData":{"mimeType":"image/png","data":"data:image/png;base64,iVBORw0KGgo="}"#),
        good: part!(r#""inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}"#),
    }
    NO_DATA = "B507" "no-data", Warning, Likely, {
        summary: "an inline file of no bytes",
        why: "There is nothing to look at; the service refuses the row, or answers to nothing.",
        help: "find out why the file is empty",
        bad: part!(r#""inlineData":{"mimeType":"image/png","data":""}"#),
        good: part!(r#""inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}"#),
    }
    INLINE_TOO_LARGE = "B508" "inline-too-large", Warning, Likely, {
        summary: "an inline file of more than 7 MB",
        why: "The model pages name 7 MB for a file in the request; and what is inline is written a second time into the predictions.",
        help: "put the file on Cloud Storage and refer to it by fileData",
        bad: RuleExample::none(),
        good: RuleExample::none(),
    }
}
