//! Files: their addresses, types and bytes.

use batch_model::GcsUri;

use super::json::{Member, Value};
use super::pointer::Pointer;
use super::report::quoted;
use super::request::Checks;
use super::rules;

/// What Gemini models read, by the extensions of such files. Likely: the union of the model pages.
const TYPES: &[(&str, &[&str])] = &[
    ("application/pdf", &["pdf"]),
    ("application/json", &["json"]),
    ("text/plain", &["txt", "md", "csv", "log", "json", "py", "rs", "js", "html", "xml", "srt", "vtt"]),
    ("text/html", &["html", "htm"]),
    ("text/css", &["css"]),
    ("text/csv", &["csv"]),
    ("text/markdown", &["md"]),
    ("text/md", &["md"]),
    ("text/xml", &["xml"]),
    ("text/rtf", &["rtf"]),
    ("text/javascript", &["js"]),
    ("image/png", &["png"]),
    ("image/jpeg", &["jpg", "jpeg"]),
    ("image/jpg", &["jpg", "jpeg"]),
    ("image/webp", &["webp"]),
    ("image/heic", &["heic"]),
    ("image/heif", &["heif"]),
    ("image/gif", &["gif"]),
    ("audio/mp3", &["mp3"]),
    ("audio/mpeg", &["mp3", "mpga"]),
    ("audio/mpga", &["mpga", "mp3"]),
    ("audio/mp4", &["m4a", "mp4"]),
    ("audio/m4a", &["m4a"]),
    ("audio/x-m4a", &["m4a"]),
    ("audio/aac", &["aac"]),
    ("audio/x-aac", &["aac"]),
    ("audio/flac", &["flac"]),
    ("audio/x-flac", &["flac"]),
    ("audio/ogg", &["ogg", "oga"]),
    ("audio/opus", &["opus"]),
    ("audio/pcm", &["pcm", "raw"]),
    ("audio/wav", &["wav"]),
    ("audio/x-wav", &["wav"]),
    ("audio/webm", &["webm", "weba"]),
    ("audio/aiff", &["aiff", "aif"]),
    ("video/mp4", &["mp4", "m4v"]),
    ("video/mpeg", &["mpeg", "mpg"]),
    ("video/mpegps", &["mpeg", "mpg"]),
    ("video/mpg", &["mpg", "mpeg"]),
    ("video/mov", &["mov"]),
    ("video/quicktime", &["mov"]),
    ("video/avi", &["avi"]),
    ("video/x-flv", &["flv"]),
    ("video/flv", &["flv"]),
    ("video/webm", &["webm"]),
    ("video/wmv", &["wmv"]),
    ("video/3gpp", &["3gp", "3gpp"]),
];

pub(super) fn file_data(checks: &mut Checks<'_, '_>, file: &Value<'_>, at: &Pointer<'_>) {
    mime_type(checks, file, at);
    let Some(member) = file.member("fileUri") else {
        checks.report.add(&rules::FILE_URI, file.start, at, "a file without a fileUri");
        return;
    };
    let Some(uri) = member.value.text() else { return };
    let uri_at = at.name(&member.name);
    let problem = if uri.starts_with("gs://") {
        uri.parse::<GcsUri>().err().map(|_| "that names no object")
    } else if uri.starts_with("https://") || uri.starts_with("http://") {
        None
    } else {
        Some("that is neither gs:// nor http")
    };
    if let Some(problem) = problem {
        let message = format!("the address {}, {problem}", quoted(uri));
        checks.report.add(&rules::FILE_URI, member.value.start, &uri_at, message);
        return;
    }
    extension(checks, file.member("mimeType"), uri, at);
}

/// Compares a MIME type with the extension of a file's address, where both are known.
fn extension(checks: &mut Checks<'_, '_>, mime: Option<&Member<'_>>, uri: &str, at: &Pointer<'_>) {
    let Some(member) = mime else { return };
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    // A web page's extension says little: `watch.php` may be a video.
    let Some((_, extension)) = path.rsplit('/').next().and_then(|name| name.rsplit_once('.')) else { return };
    let extension = extension.to_ascii_lowercase();
    let Some(text) = member.value.text() else { return };
    let Some((_, extensions)) = TYPES.iter().find(|(name, _)| *name == essence(text)) else { return };
    let by_extension = TYPES.iter().find(|(_, extensions)| extensions.first() == Some(&&*extension));
    if let Some((expected, _)) = by_extension
        && !extensions.contains(&&*extension)
    {
        let message = format!("the file ends in .{extension}, and its mimeType is {}", quoted(text));
        let finding =
            checks.report.add(&rules::MIME_TYPE_MISMATCH, member.value.start, &at.name(&member.name), message);
        finding.help(format!("write {expected:?}, unless the file is something else than its name says"));
    }
}

pub(super) fn blob(checks: &mut Checks<'_, '_>, blob: &Value<'_>, at: &Pointer<'_>) {
    mime_type(checks, blob, at);
    let Some(member) = blob.member("data") else {
        checks.report.add(&rules::NO_DATA, blob.start, at, "an inline file without data");
        return;
    };
    let Some(data) = member.value.text() else { return };
    let data_at = at.name(&member.name);
    if data.is_empty() {
        checks.report.add(&rules::NO_DATA, member.value.start, &data_at, "an inline file of no bytes");
    }
    let bytes = data.len() as u64 / 4 * 3;
    if bytes > checks.limits.inline_bytes {
        let message = format!("an inline file of {bytes} bytes");
        checks.report.add(&rules::INLINE_TOO_LARGE, member.value.start, &data_at, message);
    }
    base64(checks, blob, "data", at);
}

/// Checks a member that holds bytes.
pub(super) fn base64(checks: &mut Checks<'_, '_>, object: &Value<'_>, name: &str, at: &Pointer<'_>) {
    let Some(member) = object.member(name) else { return };
    let Some(text) = member.value.text() else { return };
    let Some(problem) = base64_problem(text) else { return };
    // Only a prefix that is written without escapes can be cut off by its length.
    let prefix = text.find(";base64,").map(|found| found + ";base64,".len());
    let fix = prefix
        .filter(|length| text.starts_with("data:") && base64_problem(&text[*length..]).is_none())
        .filter(|_| member.value.end - member.value.start == text.len() + 2)
        .map(|length| checks.report.replace(member.value.start + 1..member.value.start + 1 + length, ""));
    let at = at.name(&member.name);
    checks.report.add(&rules::BAD_BASE64, member.value.start, &at, problem).fix = fix;
}

/// Both alphabets are taken, with padding or without.
fn base64_problem(text: &str) -> Option<String> {
    if text.starts_with("data:") {
        return Some("a data: address where base64 is due".to_owned());
    }
    let data = text.trim_end_matches('=');
    let odd = data.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_')));
    if let Some(odd) = odd {
        return Some(format!("{odd:?} in base64"));
    }
    if data.len() % 4 == 1 || text.len() - data.len() > 2 {
        return Some(format!("base64 of {} characters, which no bytes have", text.len()));
    }
    None
}

fn mime_type(checks: &mut Checks<'_, '_>, file: &Value<'_>, at: &Pointer<'_>) {
    let Some(member) = file.member("mimeType") else {
        checks.report.add(&rules::NO_MIME_TYPE, file.start, at, "a file without a mimeType");
        return;
    };
    let Some(text) = member.value.text() else { return };
    let at = at.name(&member.name);
    if text.is_empty() {
        checks.report.add(&rules::NO_MIME_TYPE, member.value.start, &at, "an empty mimeType");
        return;
    }
    let is_kind = text.split_once('/').is_some_and(|(kind, rest)| {
        !rest.is_empty() && matches!(kind, "image" | "video" | "audio" | "text" | "application")
    });
    if !is_kind {
        checks.report.add(&rules::BAD_MIME_TYPE, member.value.start, &at, format!("the mimeType {}", quoted(text)));
    } else if !TYPES.iter().any(|(name, _)| *name == essence(text)) {
        let message = format!("Gemini models are not known to read {}", quoted(text));
        checks.report.add(&rules::UNKNOWN_MIME_TYPE, member.value.start, &at, message);
    }
}

/// A MIME type without its parameters: `audio/pcm` of `audio/pcm;rate=16000`.
fn essence(mime: &str) -> &str {
    mime.split(';').next().unwrap_or_default().trim_end()
}
