//! What a person is told to do.

use batch_http::{AccessToken, Credentials, HttpClient, Request, Service, bucket_grant};

use crate::server::{Server, TestClock, config, reply, vertex};

const EMAIL: &str = "ann@example.com does not have storage.objects.create access to the Google Cloud Storage object.";

fn login() -> Credentials {
    Credentials::from_fn("a test", || async { Ok::<_, std::io::Error>(AccessToken::new("t", None)) })
}

/// The hint after a refusal of a call with these segments.
async fn hint(credentials: Credentials, service: Service, path: &str, status: u16, body: &str) -> String {
    let clock = TestClock::new();
    // A refused token is renewed, and refused again.
    let server = Server::start([reply(status, "retry-after: 99\r\n", body), reply(status, "", body)]).await;
    let http = HttpClient::new(config(&server.url, credentials, &clock)).unwrap();
    let error = http.send(&Request::get(service, path.split('/'))).await.unwrap_err();
    error.hint().unwrap_or("none").to_owned()
}

fn envelope(status: u16, message: &str) -> String {
    serde_json::json!({"error": {"code": status, "message": message}}).to_string()
}

const JOBS: &str = "v1/projects/my-project/locations/us-central1/batchPredictionJobs";
const OBJECT: &str = "storage/v1/b/news/o/in.jsonl";

#[tokio::test]
async fn a_missing_permission_names_the_role_and_the_command() {
    let vertex_hint = hint(login(), vertex(), JOBS, 403, &envelope(403, "Permission denied.")).await;
    let storage = hint(login(), Service::Storage, OBJECT, 403, &envelope(403, EMAIL)).await;
    let agent = "service-7@gcp-sa-aiplatform.iam.gserviceaccount.com does not have storage.objects.get access.";
    let agent = hint(login(), Service::Storage, OBJECT, 403, &envelope(403, agent)).await;
    let bucket = "ann@example.com does not have storage.buckets.get access to the Google Cloud Storage bucket.";
    let bucket = hint(login(), Service::Storage, "storage/v1/b/news", 403, &envelope(403, bucket)).await;
    insta::assert_snapshot!([vertex_hint, storage, agent, bucket].join("\n"), @r"
    grant the role roles/aiplatform.user: `gcloud projects add-iam-policy-binding my-project --member=user:YOUR_EMAIL --role=roles/aiplatform.user`
    grant the role roles/storage.objectUser: `gcloud storage buckets add-iam-policy-binding gs://news --member=user:ann@example.com --role=roles/storage.objectUser`
    grant the role roles/storage.objectUser: `gcloud storage buckets add-iam-policy-binding gs://news --member=serviceAccount:service-7@gcp-sa-aiplatform.iam.gserviceaccount.com --role=roles/storage.objectUser`
    grant the role roles/storage.legacyBucketReader: `gcloud storage buckets add-iam-policy-binding gs://news --member=user:ann@example.com --role=roles/storage.legacyBucketReader`
    ");
}

#[tokio::test]
async fn what_denies_a_job_names_the_permission_or_what_else_stands_in_the_way() {
    let denied = |reason: &str, message: &str, permission: &str| {
        let info = serde_json::json!({ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason,
            "domain": "aiplatform.googleapis.com", "metadata": { "permission": permission } });
        let status = "PERMISSION_DENIED";
        serde_json::json!({ "error": { "code": 403, "message": message, "status": status, "details": [info] } })
            .to_string()
    };
    let create = "aiplatform.batchPredictionJobs.create";
    let missing = format!(
        "Permission '{create}' denied on resource '//aiplatform.googleapis.com/projects/my-project/locations/us-central1' \
         (or it may not exist)."
    );
    let agent = "service-7@gcp-sa-aiplatform.iam.gserviceaccount.com does not have";
    let mut hints = Vec::new();
    for body in [
        denied("IAM_PERMISSION_DENIED", &missing, create),
        // Nothing that a shell would read.
        denied("IAM_PERMISSION_DENIED", "No.", "$(reboot)"),
        envelope(403, &format!("{agent} storage.objects.get access to gs://news/run/s00000.jsonl.")),
        envelope(403, &format!("{agent} storage.objects.list access to the bucket gs://news.")),
        envelope(403, &format!("{agent} bigquery.tables.getData permission on the table my-project:a.b.")),
        denied("CONSUMER_INVALID", "Project 'my-project' is not found.", ""),
        denied("CONSUMER_SUSPENDED", "Consumer has been suspended.", ""),
        denied("SECURITY_POLICY_VIOLATED", "Request is prohibited by organization's policy.", ""),
    ] {
        hints.push(hint(login(), vertex(), JOBS, 403, &body).await);
    }
    insta::assert_snapshot!(hints.join("\n"), @r"
    the permission aiplatform.batchPredictionJobs.create is missing: grant the role roles/aiplatform.user: `gcloud projects add-iam-policy-binding my-project --member=user:YOUR_EMAIL --role=roles/aiplatform.user`
    grant the role roles/aiplatform.user: `gcloud projects add-iam-policy-binding my-project --member=user:YOUR_EMAIL --role=roles/aiplatform.user`
    grant the role roles/storage.objectUser: `gcloud storage buckets add-iam-policy-binding gs://news --member=serviceAccount:service-7@gcp-sa-aiplatform.iam.gserviceaccount.com --role=roles/storage.objectUser`
    grant the role roles/storage.objectUser: `gcloud storage buckets add-iam-policy-binding gs://news --member=serviceAccount:service-7@gcp-sa-aiplatform.iam.gserviceaccount.com --role=roles/storage.objectUser`
    grant the role roles/bigquery.dataEditor: `gcloud projects add-iam-policy-binding my-project --member=serviceAccount:service-7@gcp-sa-aiplatform.iam.gserviceaccount.com --role=roles/bigquery.dataEditor`
    see that the project is the right one and is there: `gcloud projects describe my-project`
    the project is suspended: its page at https://console.cloud.google.com says why
    VPC Service Controls stand in the way, and no role helps: call from within the perimeter, or ask who keeps it for a rule
    ");
}

#[tokio::test]
async fn an_api_that_is_off_names_the_command_that_turns_it_on() {
    let disabled = r#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"Vertex AI API has not been used.","details":[
        {"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"SERVICE_DISABLED","domain":"googleapis.com",
         "metadata":{"service":"aiplatform.googleapis.com","consumer":"projects/123"}}]}}"#;
    insta::assert_snapshot!(
        hint(login(), vertex(), JOBS, 403, disabled).await,
        @"enable the API: `gcloud services enable aiplatform.googleapis.com --project=123`"
    );
    let quota =
        r#"{"error":{"code":403,"details":[{"@type":"x/google.rpc.ErrorInfo","reason":"USER_PROJECT_DENIED"}]}}"#;
    insta::assert_snapshot!(
        hint(login().with_quota_project("billed"), Service::Storage, OBJECT, 403, quota).await,
        @"grant the role roles/serviceusage.serviceUsageConsumer: `gcloud projects add-iam-policy-binding billed --member=user:YOUR_EMAIL --role=roles/serviceusage.serviceUsageConsumer`"
    );
}

#[tokio::test]
async fn what_is_missing_names_how_to_come_by_it() {
    let bucket = envelope(404, "The specified bucket does not exist.");
    let model = envelope(404, "Publisher Model `publishers/google/models/gemini-9` not found.");
    let object = envelope(404, "No such object: news/in.jsonl");
    let hints = [
        hint(login(), Service::Storage, OBJECT, 404, &bucket).await,
        hint(login(), Service::Storage, OBJECT, 404, &object).await,
        hint(login(), vertex(), JOBS, 404, &model).await,
        hint(login(), vertex(), JOBS, 429, "").await,
    ];
    insta::assert_snapshot!(hints.join("\n"), @r"
    create the bucket: `gcloud storage buckets create gs://news --location=LOCATION`
    none
    see that the model's name is right and that us-central1 serves it for batches; many models are served in the location `global`
    a quota or the queue is full: try later, or ask for more at https://console.cloud.google.com/iam-admin/quotas
    ");
}

#[tokio::test]
async fn a_refused_login_says_whose_it_was() {
    let refused = envelope(401, "Request had invalid authentication credentials.");
    let hints = [
        hint(login(), vertex(), JOBS, 401, &refused).await,
        hint(Credentials::access_token("t"), vertex(), JOBS, 401, &refused).await,
        hint(Credentials::anonymous(), vertex(), JOBS, 401, &refused).await,
    ];
    insta::assert_snapshot!(hints.join("\n"), @r"
    a test was refused: log in again with `gcloud auth application-default login`, or give another token
    an access token was refused: log in again with `gcloud auth application-default login`, or give another token
    the service wants a login: `gcloud auth application-default login`
    ");
}

#[test]
fn a_command_holds_nothing_that_a_shell_would_read() {
    let hint = |message: &str| bucket_grant(message, "news");
    assert_eq!(hint("$(rm -rf ~)@example.com does not have access"), None);
    assert_eq!(hint("a@b;reboot.example does not have access"), None);
    assert_eq!(bucket_grant(EMAIL, "news; reboot"), None);
    assert!(
        hint("denied for 'bob.smith+x@corp.example.com'.")
            .unwrap()
            .contains("--member=user:bob.smith+x@corp.example.com ")
    );
}
