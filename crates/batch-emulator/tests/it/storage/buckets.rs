//! Buckets.

use serde_json::json;

use super::{Service, refusal, refused, request};

#[tokio::test]
async fn a_bucket_is_made_once_and_shows_what_the_service_shows() {
    let service = Service::with(|config| {
        config.external_url = Some("http://storage.test".to_owned());
        config.project_numbers.insert("demo".to_owned(), 123_456_789_012);
    })
    .await;
    let create = request("POST", "/storage/v1/b?project=demo&projection=noAcl&prettyPrint=false")
        .json(&json!({"name": "made", "location": "us-central1", "labels": {"a": "b"}}));
    let made = service.send(&create).await.ok();
    insta::assert_json_snapshot!("bucket", made);
    assert_eq!(service.get("/storage/v1/b/made").await.ok(), made);

    assert_eq!(
        refusal(&service.send(&create).await),
        (
            409,
            "conflict".to_owned(),
            "Your previous request to create the named bucket succeeded and you already own it.".to_owned()
        )
    );
    let listed = service.get("/storage/v1/b?project=demo").await.ok();
    let names: Vec<_> = listed["items"].as_array().unwrap().iter().map(|bucket| &bucket["name"]).collect();
    assert_eq!(names, ["bucket", "made"]);
}

#[tokio::test]
async fn a_project_number_is_as_good_as_its_id() {
    let service = Service::start().await;
    let make = async |project: &str, name: &str| {
        let request = request("POST", &format!("/storage/v1/b?project={project}")).json(&json!({"name": name}));
        service.send(&request).await.ok()["projectNumber"].as_str().unwrap().to_owned()
    };
    let number = make("my-project", "one").await;
    assert_eq!(number.len(), 12, "{number}");
    assert_eq!(make(&number, "two").await, number);
}

#[tokio::test]
async fn settings_are_patched_field_by_field() {
    let service = Service::start().await;
    let patch = async |body| service.send(&request("PATCH", "/storage/v1/b/bucket").json(&body)).await.ok();
    patch(json!({"labels": {"a": "1", "b": "2"}, "versioning": {"enabled": true}})).await;
    let patched = patch(json!({"labels": {"a": null, "c": "3"}, "name": "other", "id": "other"})).await;
    assert_eq!(patched["labels"], json!({"b": "2", "c": "3"}));
    assert_eq!(patched["versioning"], json!({"enabled": true}));
    assert_eq!((&patched["name"], &patched["id"]), (&json!("bucket"), &json!("bucket")));
    assert_eq!(patched["metageneration"], "3");

    let stale = request("PATCH", "/storage/v1/b/bucket?ifMetagenerationMatch=1").json(&json!({}));
    assert_eq!(refused(&service.send(&stale).await), (412, "conditionNotMet".to_owned()));

    let put = request("PUT", "/storage/v1/b/bucket").json(&json!({"labels": {"d": "4"}}));
    let put = service.send(&put).await.ok();
    assert_eq!((&put["labels"], put.get("versioning")), (&json!({"d": "4"}), None));
}

#[tokio::test]
async fn only_an_empty_bucket_is_deleted() {
    let service = Service::start().await;
    service.put("a", "1").await;
    let delete = request("DELETE", "/storage/v1/b/bucket");
    assert_eq!(
        refusal(&service.send(&delete).await),
        (409, "conflict".to_owned(), "The bucket you tried to delete is not empty.".to_owned())
    );
    service.send(&request("DELETE", "/storage/v1/b/bucket/o/a")).await;
    let deleted = service.send(&delete).await;
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    let gone = (404, "notFound".to_owned(), "The specified bucket does not exist.".to_owned());
    assert_eq!(refusal(&service.send(&delete).await), gone);
    assert_eq!(refusal(&service.get("/storage/v1/b/bucket").await), gone);
    assert_eq!(refusal(&service.get("/storage/v1/b/bucket/o").await), gone);
}

#[tokio::test]
async fn bad_names_and_missing_parameters_are_named() {
    let service = Service::start().await;
    for name in ["UPPER", "ab", "-a-", "a/b/c", "..", &"a".repeat(64)] {
        let create = request("POST", "/storage/v1/b?project=p").json(&json!({"name": name}));
        let (status, _, message) = refusal(&service.send(&create).await);
        assert_eq!((status, message), (400, format!("Invalid bucket name: '{name}'")));
    }
    let no_project = request("POST", "/storage/v1/b?project=").json(&json!({"name": "abc"}));
    let reply = service.send(&no_project).await;
    assert_eq!(refusal(&reply), (400, "required".to_owned(), "Required parameter: project".to_owned()));
    assert_eq!(reply.json()["error"]["errors"][0]["location"], "project");
    let no_name = request("POST", "/storage/v1/b?project=p").json(&json!({}));
    assert_eq!(refused(&service.send(&no_name).await), (400, "required".to_owned()));
    let no_json = request("POST", "/storage/v1/b?project=p").body("{");
    assert_eq!(refused(&service.send(&no_json).await), (400, "parseError".to_owned()));
}

#[tokio::test]
async fn what_gcloud_and_python_ask_about_a_bucket() {
    let service = Service::start().await;
    let layout = service.get("/storage/v1/b/bucket/storageLayout?alt=json").await.ok();
    assert_eq!(layout["hierarchicalNamespace"]["enabled"], false);
    let permissions = "/storage/v1/b/bucket/iam/testPermissions?permissions=a.b&permissions=c.d";
    assert_eq!(service.get(permissions).await.ok()["permissions"], json!(["a.b", "c.d"]));
    assert_eq!(service.get("/storage/v1/b/bucket/managedFolders").await.ok().get("items"), None);
    assert_eq!(refused(&service.get("/storage/v1/b/other/storageLayout").await).0, 404);
}
