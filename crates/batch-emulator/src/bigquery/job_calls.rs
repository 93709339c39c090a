//! Calls on jobs.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::error::invalid;
use super::job::no_sql;
use super::{BigQuery, page, unknown};
use crate::envelope::{self, ApiError};
use crate::storage::{self, Call, blocking, json_body};

/// `…/projects/{project}/jobs` and below.
pub(super) async fn serve(
    bigquery: BigQuery,
    call: Call,
    project: &str,
    rest: &[&str],
    body: Body,
) -> Result<Response, ApiError> {
    let method = call.method.clone();
    let engine = bigquery.engine.clone();
    match (method, rest) {
        (Method::POST, []) => {
            let job = json_body(body).await?;
            let project = project.to_owned();
            let record = blocking(move || engine.run(&project, &job, None)).await?;
            storage::lose_response(&call);
            Ok(envelope::json(StatusCode::OK, &record.show(&call.context.url, true)))
        }
        (Method::GET, []) => list(&bigquery, &call, project),
        (Method::GET, [id]) => {
            let record = engine.find(project, call.parameter("location"), id)?;
            Ok(envelope::json(StatusCode::OK, &record.show(&call.context.url, false)))
        }
        // A job is done as soon as it is there: there is nothing left to cancel.
        (Method::POST, [id, "cancel"]) => {
            let record = engine.find(project, call.parameter("location"), id)?;
            let reply = json!({
                "kind": "bigquery#jobCancelResponse",
                "job": record.show(&call.context.url, false),
            });
            Ok(envelope::json(StatusCode::OK, &reply))
        }
        (Method::DELETE, [id, "delete"] | [id]) => {
            let (project, id) = (project.to_owned(), (*id).to_owned());
            let location = call.parameter("location").map(str::to_owned);
            blocking(move || engine.delete(&project, location.as_deref(), &id)).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        _ => Err(unknown(&call)),
    }
}

fn list(bigquery: &BigQuery, call: &Call, project: &str) -> Result<Response, ApiError> {
    let mut jobs = bigquery.engine.list(project);
    let states = call.parameters("stateFilter");
    let states: Vec<&str> = states.into_iter().filter(|state| !state.is_empty()).collect();
    if !states.is_empty() {
        // By name, or by number in the order of the enum.
        let wanted = |state: &str| {
            states.iter().any(|wanted| wanted.eq_ignore_ascii_case(state) || (*wanted == "2" && state == "DONE"))
        };
        jobs.retain(|job| wanted(job.state()));
    }
    for (name, keep_later) in [("minCreationTime", true), ("maxCreationTime", false)] {
        if let Some(millis) = call.number(name)?.filter(|millis| *millis > 0) {
            jobs.retain(|job| {
                let created = job.created.div_euclid(1000);
                if keep_later { created >= millis } else { created <= millis }
            });
        }
    }
    let (jobs, next) = page(jobs, call, 1000, |job| job.serial.to_string())?;
    let mut reply = Map::new();
    reply.insert("kind".to_owned(), json!("bigquery#jobList"));
    reply.insert("etag".to_owned(), json!(format!("{}", jobs.iter().map(|job| job.serial).sum::<u64>())));
    if let Some(next) = next {
        reply.insert("nextPageToken".to_owned(), json!(next));
    }
    let shown: Vec<Value> = jobs.iter().map(|job| job.show_in_list(&call.context.url)).collect();
    reply.insert("jobs".to_owned(), json!(shown));
    Ok(envelope::json(StatusCode::OK, &reply))
}

/// `…/projects/{project}/queries`: no job here is a query.
pub(super) fn queries(bigquery: &BigQuery, call: &Call, project: &str, rest: &[&str]) -> Result<Response, ApiError> {
    match (&call.method, rest) {
        (&Method::POST, []) => Err(no_sql()),
        (&Method::GET, [id]) => {
            let record = bigquery.engine.find(project, call.parameter("location"), id)?;
            Err(invalid(format!("Cannot get the query results of job {}: it is no query.", record.id)))
        }
        _ => Err(unknown(call)),
    }
}
