//! The discovery document.

use serde_json::Value;

use super::Service;
use crate::http::send;

async fn document(service: &Service) -> Value {
    let reply = send(service.emulator.url(), "GET", "/$discovery/rest?version=v2", None).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[tokio::test]
async fn every_method_of_it_is_served() {
    let service = Service::start().await;
    let document = document(&service).await;
    let mut count = 0;
    for (resource, methods) in document["resources"].as_object().unwrap() {
        for (name, method) in methods["methods"].as_object().unwrap() {
            let mut path = method["path"].as_str().unwrap().to_owned();
            for parameter in method["parameterOrder"].as_array().unwrap() {
                let parameter = parameter.as_str().unwrap();
                assert_eq!(method["parameters"][parameter]["location"], "path", "{resource}.{name}");
                path = path.replace(&format!("{{+{parameter}}}"), "x");
            }
            let path = format!("/{}{path}", document["servicePath"].as_str().unwrap());
            let verb = method["httpMethod"].as_str().unwrap();
            let body = method["request"].is_object().then_some(&b"{}"[..]);
            let reply = send(service.emulator.url(), verb, &path, body).await.unwrap();
            assert!(!reply.text().contains("The emulator serves no"), "{resource}.{name}: {}", reply.text());
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

#[tokio::test]
async fn what_it_refers_to_is_in_it() {
    let document = document(&Service::start().await).await;
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert_eq!(document["schemas"][name]["id"], name);
    }
    let insert = &document["resources"]["jobs"]["methods"]["insert"]["mediaUpload"]["protocols"];
    assert_eq!(insert["resumable"]["path"], "/resumable/upload/bigquery/v2/projects/{+projectId}/jobs");
}

#[tokio::test]
async fn there_is_one_of_no_other_version() {
    let service = Service::start().await;
    let reply = send(service.emulator.url(), "GET", "/$discovery/rest?version=v3", None).await.unwrap();
    assert_eq!(reply.status, 404);
    assert_eq!(reply.json()["error"]["errors"][0]["reason"], "notFound", "{}", reply.text());
}
