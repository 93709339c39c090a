//! Objects: what is known about them, and what can be done with them but bytes.

use serde_json::json;

use super::{Service, crc32c, encode, object, refusal, refused, request};

#[tokio::test]
async fn an_object_shows_what_the_service_shows() {
    let service = Service::with(|config| config.external_url = Some("http://storage.test/".to_owned())).await;
    let written = service.put("dir/a:b 日本.jsonl", "{}\n").await;
    insta::assert_json_snapshot!("object", written);
    let path = object("dir/a:b 日本.jsonl");
    let tolerated = "projection=noAcl&fields=name%2Csize&prettyPrint=false&alt=json&%24alt=json&generation=";
    assert_eq!(service.get(&format!("{path}?{tolerated}")).await.ok(), written);
}

#[tokio::test]
async fn any_name_that_the_service_allows_can_be_escaped_or_not() {
    let service = Service::start().await;
    for name in ["a/b/c", "compose", "a//b", "../x", "a+b c%2F", "a?b=c&d#e", "r:1,2;3=4@5", "日/本", "a/o/b", "/"] {
        service.put(name, name).await;
        assert_eq!(service.read(name).await, name.as_bytes(), "{name}");
        assert_eq!(service.get(&object(name)).await.ok()["name"], name);
    }
    assert_eq!(service.get("/storage/v1/b/bucket/o/a/b/c").await.ok()["name"], "a/b/c");
    assert_eq!(service.get("/b/bucket/o/a%2Fb%2Fc").await.ok()["name"], "a/b/c");
    for (name, why) in
        [("..".to_owned(), "it is . or .."), ("a\nb".to_owned(), "it has a line end"), ("x".repeat(1025), "1024 bytes")]
    {
        let path = format!("/upload/storage/v1/b/bucket/o?uploadType=media&name={}", encode(&name));
        let (status, _, message) = refusal(&service.send(&request("POST", &path).body("x")).await);
        assert_eq!(status, 400);
        assert!(message.contains(why), "{message}");
    }
}

#[tokio::test]
async fn attributes_are_patched_one_by_one() {
    let service = Service::start().await;
    let before = service.put("a", "1").await;
    let patch = async |body| service.send(&request("PATCH", "/storage/v1/b/bucket/o/a").json(&body)).await;
    patch(json!({"metadata": {"x": "1", "y": "2"}, "cacheControl": "no-store"})).await.ok();
    let after = patch(json!({"metadata": {"x": null, "z": "3"}, "contentType": "a/b", "size": "9"})).await.ok();
    assert_eq!(after["metadata"], json!({"y": "2", "z": "3"}));
    assert_eq!((&after["contentType"], &after["cacheControl"]), (&json!("a/b"), &json!("no-store")));
    assert_eq!((&after["metageneration"], &after["size"]), (&json!("3"), &json!("1")));
    assert_eq!(after["generation"], before["generation"]);
    assert_ne!(after["etag"], before["etag"]);
    assert_eq!(patch(json!({"metadata": null})).await.ok().get("metadata"), None);

    assert_eq!(refused(&patch(json!({"contentType": 5})).await), (400, "invalid".to_owned()));
    let put = request("PUT", "/storage/v1/b/bucket/o/a").json(&json!({"contentLanguage": "ja"}));
    let put = service.send(&put).await.ok();
    assert_eq!((put.get("cacheControl"), &put["contentLanguage"]), (None, &json!("ja")));
}

#[tokio::test]
async fn every_call_checks_its_conditions() {
    let service = Service::start().await;
    let written = service.put("a", "1").await;
    let generation: i64 = written["generation"].as_str().unwrap().parse().unwrap();
    let other = generation - 1;
    let statuses = async |method: &str, query: &str, name: &str| {
        let path = match method {
            "POST" => format!("/upload/storage/v1/b/bucket/o?uploadType=media&name={name}&{query}"),
            "MEDIA" => format!("{}?alt=media&{query}", object(name)),
            _ => format!("{}?{query}", object(name)),
        };
        let method = if method == "MEDIA" { "GET" } else { method };
        let body = if method == "PATCH" { "{}" } else { "" };
        service.send(&request(method, &path).body(body)).await.status
    };
    for (query, expected) in [
        (format!("ifGenerationMatch={other}"), 412),
        ("ifGenerationMatch=0".to_owned(), 412),
        (format!("ifGenerationNotMatch={generation}"), 304),
        ("ifMetagenerationMatch=2".to_owned(), 412),
        ("ifMetagenerationNotMatch=1".to_owned(), 304),
    ] {
        for method in ["GET", "MEDIA", "PATCH", "DELETE", "POST"] {
            // Only a read can say that the client has it already.
            let expected = if matches!(method, "GET" | "MEDIA") { expected } else { 412 };
            assert_eq!(statuses(method, &query, "a").await, expected, "{method} {query}");
        }
    }
    for method in ["GET", "MEDIA", "PATCH", "DELETE"] {
        assert_eq!(statuses(method, &format!("generation={other}"), "a").await, 404, "{method}");
        assert_eq!(statuses(method, "ifGenerationMatch=0", "none").await, 404, "{method}");
    }
    assert_eq!(statuses("POST", &format!("ifGenerationMatch={generation}"), "none").await, 412);
    assert_eq!(statuses("GET", "ifGenerationMatch=x", "a").await, 400);
    assert_eq!(service.get(&object("a")).await.ok(), written, "none of the refused calls did anything");

    let holds = format!("generation={generation}&ifGenerationMatch={generation}&ifMetagenerationMatch=1");
    for (method, expected) in [("GET", 200), ("MEDIA", 200), ("DELETE", 204)] {
        assert_eq!(statuses(method, &holds, "a").await, expected, "{method}");
    }
    for expected in [200, 412] {
        assert_eq!(statuses("POST", "ifGenerationMatch=0", "a").await, expected);
    }
}

#[tokio::test]
async fn entity_tags_are_conditions_too() {
    let service = Service::start().await;
    let tag = service.put("a", "1").await["etag"].as_str().unwrap().to_owned();
    for (name, value, expected) in [
        ("If-None-Match", &tag, 304),
        ("If-Match", &tag, 200),
        ("If-None-Match", &"other".to_owned(), 200),
        ("If-Match", &"\"other\"".to_owned(), 412),
        ("If-None-Match", &"*".to_owned(), 304),
    ] {
        for path in ["/storage/v1/b/bucket/o/a", "/storage/v1/b/bucket/o/a?alt=media"] {
            let reply = service.send(&request("GET", path).header(name, value)).await;
            assert_eq!(reply.status, expected, "{name}: {value}");
            assert_eq!(expected == 304, reply.body.is_empty());
        }
    }
}

#[tokio::test]
async fn overwriting_makes_a_new_generation() {
    let service = Service::start().await;
    let first = service.put("a", "1").await;
    // The clock stands still, and generations grow all the same.
    let second = service.put("a", "22").await;
    assert!(first["generation"].as_str().unwrap() < second["generation"].as_str().unwrap());
    assert_eq!(service.read("a").await, b"22");
    let first = first["generation"].as_str().unwrap();
    assert_eq!(service.get(&format!("{}?generation={first}", object("a"))).await.status, 404);
    service.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(service.put("a", "3").await["timeCreated"], "2026-11-21T10:01:00.123Z");
}

#[tokio::test]
async fn a_deleted_object_is_gone() {
    let service = Service::start().await;
    service.put("a", "1").await;
    let delete = request("DELETE", "/storage/v1/b/bucket/o/a");
    let reply = service.send(&delete).await;
    assert_eq!((reply.status, reply.body.len()), (204, 0));
    let gone = (404, "notFound".to_owned(), "No such object: bucket/a".to_owned());
    assert_eq!(refusal(&service.send(&delete).await), gone);
    assert_eq!(refusal(&service.get("/storage/v1/b/bucket/o/a").await), gone);
}

#[tokio::test]
async fn composing_puts_objects_one_after_another() {
    let service = Service::start().await;
    let one = service.put("one", "1\n").await;
    service.put("two", "2\n").await;
    let compose =
        async |body| service.send(&request("POST", "/storage/v1/b/bucket/o/in%2Fall/compose").json(&body)).await;
    let all = compose(json!({
        "kind": "storage#composeRequest",
        "destination": {"contentType": "application/jsonl"},
        "sourceObjects": [{"name": "one", "generation": one["generation"]}, {"name": "two"}, {"name": "one"}],
    }))
    .await
    .ok();
    assert_eq!(service.read("in/all").await, b"1\n2\n1\n");
    assert_eq!(all["crc32c"], crc32c(b"1\n2\n1\n"));
    assert_eq!((all["componentCount"].as_u64(), all.get("md5Hash")), (Some(3), None));
    assert_eq!(all["contentType"], "application/jsonl");

    let wrong = json!({"sourceObjects": [{"name": "one", "objectPreconditions": {"ifGenerationMatch": "1"}}]});
    assert_eq!(refused(&compose(wrong).await), (412, "conditionNotMet".to_owned()));
    let missing = json!({"sourceObjects": [{"name": "none"}]});
    assert_eq!(refused(&compose(missing).await).0, 404);
    let many: Vec<_> = (0..33).map(|_| json!({"name": "one"})).collect();
    let (status, _, message) = refusal(&compose(json!({"sourceObjects": many})).await);
    assert_eq!(status, 400);
    assert!(message.contains("(33) exceeds the maximum (32)"), "{message}");
    assert_eq!(refused(&compose(json!({})).await), (400, "required".to_owned()));
}

#[tokio::test]
async fn copies_take_the_attributes_along_unless_told_otherwise() {
    let service = Service::start().await;
    service.put("a/b", "data").await;
    let other = request("POST", "/storage/v1/b?project=p").json(&json!({"name": "other"}));
    service.send(&other).await.ok();
    let from = object("a/b");
    let rewritten = service.send(&request("POST", &format!("{from}/rewriteTo/b/other/o/c%2Fd"))).await.ok();
    assert_eq!((&rewritten["done"], &rewritten["objectSize"]), (&json!(true), &json!("4")));
    assert_eq!(rewritten["resource"]["name"], "c/d");
    assert_eq!(rewritten["resource"]["contentType"], "text/plain");

    let copy = request("POST", &format!("{from}/copyTo/b/bucket/o/e")).json(&json!({"contentType": "x/y"}));
    assert_eq!(service.send(&copy).await.ok()["contentType"], "x/y");
    assert_eq!(service.read("e").await, b"data");

    for query in ["ifGenerationMatch=0", "ifSourceGenerationMatch=1"] {
        let copy = request("POST", &format!("{from}/copyTo/b/bucket/o/e?{query}"));
        assert_eq!(refused(&service.send(&copy).await), (412, "conditionNotMet".to_owned()), "{query}");
    }
    let copy = request("POST", &format!("{from}/rewriteTo/b/none/o/e"));
    assert_eq!(refusal(&service.send(&copy).await).2, "The specified bucket does not exist.");
}
