//! Lists of objects.

use serde_json::Value;

use super::{Service, encode, refused, request};

/// What a page has: names, prefixes and whether more follow.
fn page(reply: &Value) -> (Vec<String>, Vec<String>, Option<String>) {
    let texts = |list: &Value, text: &dyn Fn(&Value) -> Value| -> Vec<String> {
        let list = list.as_array().cloned().unwrap_or_default();
        list.iter().map(|entry| text(entry).as_str().unwrap().to_owned()).collect()
    };
    let token = reply.get("nextPageToken").map(|token| token.as_str().unwrap().to_owned());
    (texts(&reply["items"], &|item| item["name"].clone()), texts(&reply["prefixes"], &Value::clone), token)
}

async fn list(service: &Service, query: &str) -> (Vec<String>, Vec<String>, Option<String>) {
    page(&service.get(&format!("/storage/v1/b/bucket/o?{query}")).await.ok())
}

async fn filled() -> Service {
    let service = Service::start().await;
    for name in ["a", "dir/1", "dir/2", "dir/sub/3", "dir/sub/4", "dir0", "日/本", "z/"] {
        service.put(name, "x").await;
    }
    service
}

#[tokio::test]
async fn a_prefix_and_a_delimiter_make_folders() {
    let service = filled().await;
    let all = ["a", "dir/1", "dir/2", "dir/sub/3", "dir/sub/4", "dir0", "z/", "日/本"];
    assert_eq!(list(&service, "").await, (all.map(str::to_owned).to_vec(), vec![], None));
    for (query, names, prefixes) in [
        ("delimiter=/", vec!["a", "dir0"], vec!["dir/", "z/", "日/"]),
        ("prefix=dir/&delimiter=/", vec!["dir/1", "dir/2"], vec!["dir/sub/"]),
        ("prefix=dir&delimiter=/", vec!["dir0"], vec!["dir/"]),
        ("delimiter=/&includeTrailingDelimiter=true", vec!["a", "dir0", "z/"], vec!["dir/", "z/", "日/"]),
        ("prefix=dir/&startOffset=dir/2&endOffset=dir/sub/4", vec!["dir/2", "dir/sub/3"], vec![]),
        ("matchGlob=dir/**/%5B34%5D", vec!["dir/sub/3", "dir/sub/4"], vec![]),
        ("prefix=nothing", vec![], vec![]),
        ("prefix=%E6%97%A5&versions=true&projection=noAcl&fields=items(name)", vec!["日/本"], vec![]),
        ("softDeleted=true", vec![], vec![]),
    ] {
        let (found, groups, token) = list(&service, query).await;
        assert_eq!((found, groups, token), (owned(&names), owned(&prefixes), None), "{query}");
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn pages_follow_each_other_whatever_happens_in_between() {
    let service = filled().await;
    let (first, _, token) = list(&service, "maxResults=3").await;
    assert_eq!(first, ["a", "dir/1", "dir/2"]);
    let token = encode(&token.unwrap());
    // The object that the page ended with goes, and one comes before it.
    service.send(&request("DELETE", "/storage/v1/b/bucket/o/dir%2F2")).await;
    service.put("b", "x").await;
    let (second, _, token) = list(&service, &format!("maxResults=3&pageToken={token}")).await;
    assert_eq!(second, ["dir/sub/3", "dir/sub/4", "dir0"]);
    let token = encode(&token.unwrap());
    let (third, _, token) = list(&service, &format!("maxResults=3&pageToken={token}")).await;
    assert_eq!((third, token), (owned(&["z/", "日/本"]), None));
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let service = Service::start().await;
    for (query, parameter) in
        [("maxResults=x", "maxResults"), ("maxResults=-1", "maxResults"), ("pageToken=%21", "pageToken")]
    {
        let reply = service.get(&format!("/storage/v1/b/bucket/o?{query}")).await;
        assert_eq!(refused(&reply), (400, "invalid".to_owned()));
        assert_eq!(reply.json()["error"]["errors"][0]["location"], parameter);
    }
}
