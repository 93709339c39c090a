//! What to do about a refusal: the role and the command, the project to enable, the login to renew.

use batch_backend::{Kind, ServiceError};
use serde_json::Value;

use crate::{Credentials, Request, Service};

/// What a person can do about a call that was refused, where we know.
pub(crate) fn hint(kind: Kind, error: &ServiceError, request: &Request, credentials: &Credentials) -> Option<String> {
    match kind {
        Kind::Unauthenticated => Some(log_in(credentials)),
        Kind::PermissionDenied => Some(permission(error, request, credentials)),
        Kind::NotFound => not_found(error, request),
        Kind::ResourceExhausted => Some(
            "a quota or the queue is full: try later, or ask for more at \
             https://console.cloud.google.com/iam-admin/quotas"
                .to_owned(),
        ),
        Kind::FailedPrecondition if mentions(error, "service agent") => Some(
            "the first job of a project makes its service agents, which takes some minutes: try again then".to_owned(),
        ),
        _ => None,
    }
}

fn log_in(credentials: &Credentials) -> String {
    if credentials.is_anonymous() {
        return "the service wants a login: `gcloud auth application-default login`".to_owned();
    }
    format!(
        "{} was refused: log in again with `gcloud auth application-default login`, or give another token",
        credentials.description()
    )
}

fn permission(error: &ServiceError, request: &Request, credentials: &Credentials) -> String {
    match error.reason.as_deref() {
        Some("SERVICE_DISABLED") => {
            let service = metadata(error, "service").filter(|name| is_plain(name));
            let service = service.unwrap_or_else(|| api_of(&request.service));
            let project = metadata(error, "consumer").and_then(|consumer| consumer.strip_prefix("projects/"));
            let project = project.filter(|name| is_plain(name)).or_else(|| project_of(request)).unwrap_or("PROJECT");
            return format!("enable the API: `gcloud services enable {service} --project={project}`");
        }
        Some("BILLING_DISABLED") => {
            return "the project has no billing account: https://console.cloud.google.com/billing/projects".to_owned();
        }
        Some("ACCESS_TOKEN_SCOPE_INSUFFICIENT") => {
            return "the login lacks the scope cloud-platform: `gcloud auth application-default login`, or create the \
                    machine with that scope"
                .to_owned();
        }
        Some("USER_PROJECT_DENIED") => {
            let project = credentials.quota_project().filter(|name| is_plain(name)).unwrap_or("PROJECT");
            let member = caller(error, credentials);
            return grant_on_project(project, &member, "roles/serviceusage.serviceUsageConsumer");
        }
        Some("CONSUMER_INVALID" | "RESOURCE_PROJECT_INVALID") => {
            let project = project_of(request).unwrap_or("PROJECT");
            return format!("see that the project is the right one and is there: `gcloud projects describe {project}`");
        }
        Some("CONSUMER_SUSPENDED" | "GCP_SUSPENDED") => {
            return "the project is suspended: its page at https://console.cloud.google.com says why".to_owned();
        }
        Some("SECURITY_POLICY_VIOLATED") => {
            return "VPC Service Controls stand in the way, and no role helps: call from within the perimeter, or ask \
                    who keeps it for a rule"
                .to_owned();
        }
        _ => {}
    }
    let member = caller(error, credentials);
    let grant = grant(error, request, &member);
    match metadata(error, "permission").filter(|name| is_plain(name)) {
        Some(name) => format!("the permission {name} is missing: {grant}"),
        None => grant,
    }
}

/// The role that a permission comes with, and the command that grants it.
fn grant(error: &ServiceError, request: &Request, member: &str) -> String {
    match (&request.service, bucket_of(request)) {
        (Service::Storage, _) if mentions(error, "storage.buckets.create") => {
            grant_on_project("PROJECT", member, "roles/storage.admin")
        }
        (Service::Storage, Some(bucket)) if mentions(error, "storage.buckets.get") => {
            grant_on_bucket(bucket, member, "roles/storage.legacyBucketReader")
        }
        (Service::Storage, Some(bucket)) => grant_on_bucket(bucket, member, OBJECT_USER),
        (Service::Storage, None) => grant_on_project("PROJECT", member, OBJECT_USER),
        (Service::BigQuery, _) => {
            grant_on_project(project_of(request).unwrap_or("PROJECT"), member, "roles/bigquery.user")
        }
        (Service::Vertex(_), _) if mentions(error, "storage.buckets.get") => match bucket_in(error) {
            Some(bucket) => grant_on_bucket(bucket, member, "roles/storage.legacyBucketReader"),
            None => grant_on_project(project_of(request).unwrap_or("PROJECT"), member, "roles/storage.bucketViewer"),
        },
        (Service::Vertex(_), _) if mentions(error, "bigquery.jobs.") => {
            grant_on_project(project_of(request).unwrap_or("PROJECT"), member, "roles/bigquery.jobUser")
        }
        // Whom the service sends to the input and the output of a job, or who sends it.
        (Service::Vertex(_), _) if mentions(error, "storage.") => match bucket_in(error) {
            Some(bucket) => grant_on_bucket(bucket, member, OBJECT_USER),
            None => grant_on_project(project_of(request).unwrap_or("PROJECT"), member, OBJECT_USER),
        },
        (Service::Vertex(_), _) if mentions(error, "bigquery.") => {
            grant_on_project(project_of(request).unwrap_or("PROJECT"), member, "roles/bigquery.dataEditor")
        }
        (Service::Vertex(_), _) => {
            grant_on_project(project_of(request).unwrap_or("PROJECT"), member, "roles/aiplatform.user")
        }
    }
}

fn not_found(error: &ServiceError, request: &Request) -> Option<String> {
    match &request.service {
        Service::Storage => {
            let bucket = bucket_of(request)?;
            // An object that is not there is told by its name; only a missing bucket needs a command.
            let is_bucket = request.segment_after("o").is_none() || mentions(error, "bucket");
            is_bucket.then(|| {
                format!("create the bucket: `gcloud storage buckets create gs://{bucket} --location=LOCATION`")
            })
        }
        Service::Vertex(location) if mentions(error, "model") => {
            let elsewhere = if location.as_str() == "global" { "us-central1" } else { "global" };
            Some(format!(
                "see that the model's name is right and that {location} serves it for batches; many models are served \
                 in the location `{elsewhere}`"
            ))
        }
        _ => None,
    }
}

/// The role that reads, writes, lists and deletes objects.
const OBJECT_USER: &str = "roles/storage.objectUser";

fn grant_on_bucket(bucket: &str, member: &str, role: &str) -> String {
    format!(
        "grant the role {role}: `gcloud storage buckets add-iam-policy-binding gs://{bucket} --member={member} \
         --role={role}`"
    )
}

fn grant_on_project(project: &str, member: &str, role: &str) -> String {
    format!("grant the role {role}: `gcloud projects add-iam-policy-binding {project} --member={member} --role={role}`")
}

/// The command that lets the account which `message` names (a service agent, mostly) use a bucket.
///
/// For failures that are no reply to a call: a job that failed because Vertex AI's service agent may
/// not read its input. `None` where the message names no account.
///
/// ```
/// let message = "service-7@gcp-sa-aiplatform.iam.gserviceaccount.com does not have storage.objects.get access";
/// let hint = batch_http::bucket_grant(message, "news").unwrap();
/// assert!(hint.contains("--member=serviceAccount:service-7@gcp-sa-aiplatform.iam.gserviceaccount.com"));
/// assert!(hint.contains("gs://news"));
/// ```
#[must_use]
pub fn bucket_grant(message: &str, bucket: &str) -> Option<String> {
    let member = member_in(message)?;
    is_plain(bucket).then(|| grant_on_bucket(bucket, &member, OBJECT_USER))
}

/// Who was refused, as a member of a policy: whom the service names, or whom the credentials name.
fn caller(error: &ServiceError, credentials: &Credentials) -> String {
    let named = error.message.as_deref().and_then(member_in);
    named.or_else(|| credentials.account().and_then(member)).unwrap_or_else(|| "user:YOUR_EMAIL".to_owned())
}

/// The first e-mail address in a text, as a member.
fn member_in(text: &str) -> Option<String> {
    text.split(|c: char| c.is_whitespace() || "'\"`<>()[],;".contains(c)).find_map(member)
}

fn member(email: &str) -> Option<String> {
    let email = email.trim_end_matches(['.', ':']);
    let (name, domain) = email.split_once('@')?;
    // The command is pasted into a shell: nothing that a shell would read.
    if name.is_empty() || !domain.contains('.') || !is_plain(name) || !is_plain(domain) {
        return None;
    }
    let kind = if domain.ends_with("gserviceaccount.com") { "serviceAccount" } else { "user" };
    Some(format!("{kind}:{email}"))
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-+:".contains(&b))
}

fn project_of(request: &Request) -> Option<&str> {
    request.segment_after("projects").filter(|name| is_plain(name))
}

fn bucket_of(request: &Request) -> Option<&str> {
    request.segment_after("b").filter(|name| is_plain(name))
}

/// The bucket of the first address of an object in what the service says.
fn bucket_in(error: &ServiceError) -> Option<&str> {
    let (_, rest) = error.message.as_deref()?.split_once("gs://")?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c)).unwrap_or(rest.len());
    Some(rest[..end].trim_end_matches('.')).filter(|name| is_plain(name))
}

fn api_of(service: &Service) -> &'static str {
    match service {
        Service::Storage => "storage.googleapis.com",
        Service::BigQuery => "bigquery.googleapis.com",
        Service::Vertex(_) => "aiplatform.googleapis.com",
    }
}

fn mentions(error: &ServiceError, word: &str) -> bool {
    error.message.as_deref().is_some_and(|message| message.to_lowercase().contains(word))
}

fn metadata<'a>(error: &'a ServiceError, name: &str) -> Option<&'a str> {
    error.details.iter().find_map(|detail| detail.get("metadata")?.get(name).and_then(Value::as_str))
}
