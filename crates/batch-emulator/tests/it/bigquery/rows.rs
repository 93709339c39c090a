//! Rows: listed and streamed in.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Service, refusal, values};

#[tokio::test]
async fn cells_are_written_as_the_service_writes_them() {
    let service = Service::start().await;
    let types =
        ["STRING", "BYTES", "INT64", "FLOAT64", "NUMERIC", "BOOL", "TIMESTAMP", "DATE", "TIME", "DATETIME", "JSON"];
    let mut fields: Vec<Value> =
        types.iter().map(|kind| json!({ "name": kind.to_lowercase(), "type": kind })).collect();
    fields.push(json!({ "name": "r", "type": "RECORD", "mode": "REPEATED", "fields": [{ "name": "s", "type": "STRING", "mode": "REPEATED" }, { "name": "n", "type": "INT64" }] }));
    service.table("t", json!(fields)).await;
    let row = json!({ "json": {
        "string": "é\"", "bytes": "AAE=", "int64": "9007199254740993", "float64": 1e10, "numeric": "1.50", "bool": true,
        "timestamp": "2026-01-01 00:00:00.5 UTC", "date": "2026-01-01", "time": "01:02:03.5", "datetime": "2026-01-01 00:00:00",
        "json": "{\"b\": [1.0, 12345678901234567890], \"a\": null}", "r": [{ "s": ["x", "y"], "n": 1 }, { "n": 2 }],
    } });
    let reply = service.post("/datasets/d/tables/t/insertAll", json!({ "rows": [row, { "json": {} }] })).await.ok();
    assert_eq!(reply, json!({ "kind": "bigquery#tableDataInsertAllResponse" }));
    insta::assert_json_snapshot!("listed-rows", service.get("/datasets/d/tables/t/data").await.ok());
    let some = "selectedFields=r.n,timestamp&formatOptions.useInt64Timestamp=true&maxResults=1";
    let page = service.get(&format!("/datasets/d/tables/t/data?{some}")).await.ok();
    assert_eq!(
        values(&page["rows"][0]),
        json!(["1767225600500000", [{ "v": { "f": [{ "v": "1" }] } }, { "v": { "f": [{ "v": "2" }] } }]])
    );
    let (status, _, message) = refusal(&service.get("/datasets/d/tables/t/data?selectedFields=nope").await);
    assert_eq!((status, &*message), (400, "Field nope not found in table schema."));
}

#[tokio::test]
async fn an_insert_is_whole_or_says_which_rows_are_wrong() {
    let service = Service::start().await;
    service.table("t", json!([{ "name": "a", "type": "INT64" }])).await;
    let insert = |more: Value| {
        let mut body = json!({ "rows": [{ "insertId": "1", "json": { "a": 1 } }, { "json": { "a": "x" } }, { "json": { "b": 1 } }, { "insertId": "1", "json": { "a": 2 } }] });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        service.post("/datasets/d/tables/t/insertAll", body)
    };
    insta::assert_json_snapshot!("insert-errors", insert(json!({})).await.ok());
    assert!(service.rows("t", "").await.is_empty());
    let reply = insert(json!({ "skipInvalidRows": true, "ignoreUnknownValues": true })).await.ok();
    assert_eq!(reply["insertErrors"].as_array().unwrap().len(), 1);
    // The second row with insertId 1 is the first one again.
    assert_eq!(service.rows("t", "").await, [json!(["1"]), json!([null])]);
}

#[tokio::test]
async fn pages_begin_where_they_are_told() {
    let service = Service::start().await;
    service.table("t", json!([{ "name": "a", "type": "INT64" }])).await;
    // Several pieces, longer and shorter than the distance of what is remembered of them.
    let lines = |range: std::ops::Range<u32>| range.map(|i| format!("{{\"a\":{i}}}\n")).collect::<String>();
    for (i, range) in [0..600, 600..601, 601..1000].into_iter().enumerate() {
        service.put(&format!("{i}.jsonl"), &lines(range)).await;
        service.load("t", &format!("gs://bucket/{i}.jsonl"), json!({})).await;
    }
    let all: Vec<Value> = (0..1000).map(|i| json!([i.to_string()])).collect();
    for size in [1000, 999, 256, 100] {
        assert_eq!(service.rows("t", &format!("maxResults={size}")).await, all, "{size}");
    }
    for start in [0, 1, 255, 256, 599, 600, 601, 999, 1000, 2000] {
        let page = service.get(&format!("/datasets/d/tables/t/data?startIndex={start}&maxResults=1")).await.ok();
        assert_eq!(page["totalRows"], "1000");
        let first = page["rows"].get(0).map(values);
        assert_eq!(first.as_ref(), all.get(start), "{start}");
    }
    let none = service.get("/datasets/d/tables/t/data?maxResults=0").await.ok();
    assert!(none.get("rows").is_none());
}

/// Any JSON.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no others", |number| number.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever JSON is loaded comes back with its members in their order, on pages of any
    /// size.
    #[test]
    fn any_rows_come_back(rows in proptest::collection::vec((any::<String>(), any_json()), 1..20), page in 1_u32..25) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let service = Service::start().await;
            let text: String = rows.iter().map(|(key, json)| format!("{}\n", json!({ "j": json, "key": key }))).collect();
            service.put("in.jsonl", &text).await;
            let fields = json!([{ "name": "key", "type": "STRING" }, { "name": "j", "type": "JSON" }]);
            let job = service.load("t", "gs://bucket/in.jsonl", json!({ "schema": { "fields": fields } })).await;
            assert!(job["status"].get("errorResult").is_none(), "{job:#}");
            let listed = service.rows("t", &format!("maxResults={page}")).await;
            assert_eq!(listed.len(), rows.len());
            for ((key, json), listed) in rows.iter().zip(listed) {
                assert_eq!(listed[0], json!(key));
                // A JSON null is no value.
                let expected = if json.is_null() { Value::Null } else { json!(json.to_string()) };
                assert_eq!(listed[1], expected);
            }
        });
    }
}
