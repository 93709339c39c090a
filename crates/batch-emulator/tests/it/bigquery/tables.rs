//! Datasets and tables.

use std::time::Duration;

use serde_json::json;

use super::{Service, refusal};

#[tokio::test]
async fn a_dataset_and_a_table_are_shown_as_the_service_shows_them() {
    let service = Service::start().await;
    let dataset = json!({ "datasetReference": { "datasetId": "new" }, "location": "eu", "labels": { "a": "b" } });
    let mut shown = service.post("/datasets", dataset.clone()).await.ok();
    let url = service.emulator.url().to_owned();
    let link = |shown: &mut serde_json::Value| {
        let link = shown["selfLink"].as_str().unwrap().replace(&url, "URL");
        shown["selfLink"] = json!(link);
    };
    link(&mut shown);
    insta::assert_json_snapshot!("dataset", shown);
    let mut shown = service
        .table(
            "t",
            json!([
                { "name": "key", "type": "STRING", "mode": "REQUIRED", "description": "d" },
                { "name": "r", "type": "STRUCT", "mode": "REPEATED", "fields": [{ "name": "n", "type": "INT64" }] },
            ]),
        )
        .await;
    link(&mut shown);
    insta::assert_json_snapshot!("table", shown);
    insta::assert_json_snapshot!("table-list", service.get("/datasets/d/tables").await.ok());
    let (status, reason, message) = refusal(&service.post("/datasets", dataset).await);
    assert_eq!((status, &*reason, &*message), (409, "duplicate", "Already Exists: Dataset demo:new"));
    let (status, reason, message) = refusal(&service.get("/datasets/d/tables/none").await);
    assert_eq!((status, &*reason, &*message), (404, "notFound", "Not found: Table demo:d.none"));
}

#[tokio::test]
async fn lists_have_pages() {
    let service = Service::start().await;
    for name in ["b", "a", "c"] {
        service.table(name, json!([{ "name": "x", "type": "STRING" }])).await;
    }
    let first = service.get("/datasets/d/tables?maxResults=2&pageToken=").await.ok();
    assert_eq!(
        (first["tables"][0]["tableReference"]["tableId"].as_str(), &first["totalItems"]),
        (Some("a"), &json!(3))
    );
    let token = first["nextPageToken"].as_str().unwrap();
    let second = service.get(&format!("/datasets/d/tables?maxResults=2&pageToken={token}")).await.ok();
    assert_eq!(second["tables"].as_array().unwrap().len(), 1);
    assert_eq!(second["tables"][0]["tableReference"]["tableId"], "c");
    assert!(second.get("nextPageToken").is_none());
}

#[tokio::test]
async fn a_schema_grows_and_does_not_shrink() {
    let service = Service::start().await;
    service.table("t", json!([{ "name": "a", "type": "STRING", "mode": "REQUIRED" }])).await;
    let patch = |fields| json!({ "schema": { "fields": fields }, "labels": { "l": "1" } });
    let path = "/datasets/d/tables/t";
    let grown = json!([{ "name": "a", "type": "STRING" }, { "name": "b", "type": "JSON" }]);
    let shown = service.send("PATCH", path, Some(&patch(grown))).await.ok();
    assert_eq!(shown["schema"]["fields"][1]["name"], "b");
    assert_eq!(shown["labels"], json!({ "l": "1" }));
    for (fields, problem) in [
        (json!([{ "name": "a", "type": "STRING" }]), "Field b is missing in new schema"),
        (
            json!([{ "name": "a", "type": "INT64" }, { "name": "b", "type": "JSON" }]),
            "Field a has changed type from STRING to INTEGER",
        ),
    ] {
        let (status, _, message) = refusal(&service.send("PATCH", path, Some(&patch(fields))).await);
        assert_eq!((status, message), (400, format!("Provided Schema does not match Table demo:d.t. {problem}")));
    }
}

#[tokio::test]
async fn what_has_expired_is_gone() {
    let service = Service::start().await;
    let end = (super::START + Duration::from_secs(60)).as_millis().to_string();
    let table = json!({ "tableReference": { "tableId": "t" }, "expirationTime": end });
    service.post("/datasets/d/tables", table).await.ok();
    service.clock.advance(Duration::from_secs(59));
    service.get("/datasets/d/tables/t").await.ok();
    service.clock.advance(Duration::from_secs(1));
    assert_eq!(service.get("/datasets/d/tables/t").await.status, 404);
}

#[tokio::test]
async fn a_dataset_goes_with_its_tables_only_when_asked() {
    let service = Service::start().await;
    service.table("t", json!([])).await;
    let (status, reason, _) = refusal(&service.send("DELETE", "/datasets/d", None).await);
    assert_eq!((status, &*reason), (400, "resourceInUse"));
    assert_eq!(service.send("DELETE", "/datasets/d?deleteContents=true", None).await.status, 204);
    assert_eq!(service.get("/datasets/d").await.status, 404);
}

#[tokio::test]
async fn no_sql_is_run_and_it_says_so() {
    let service = Service::start().await;
    let query = json!({ "query": "SELECT 1" });
    for reply in [
        service.post("/queries", query.clone()).await,
        service.post("/jobs", json!({ "configuration": { "query": query } })).await,
    ] {
        let (status, reason, message) = refusal(&reply);
        assert_eq!((status, &*reason), (501, "notImplemented"));
        assert!(message.starts_with("This emulator runs no SQL"), "{message}");
    }
}
