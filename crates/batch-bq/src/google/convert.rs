//! Google's types into ours.

use google_cloud_bigquery_v2::model;

use crate::{
    job::{JobInfo, JobName, LoadStatistics, SqlStatistics},
    table::{DatasetInfo, Field, FieldKind, Mode, TableInfo, TableName},
};

use super::error::failed;

pub(super) fn dataset(uri: String, dataset: &model::Dataset) -> DatasetInfo {
    DatasetInfo { uri, location: dataset.location.clone() }
}

pub(super) fn table(name: &TableName, table: &model::Table) -> TableInfo {
    TableInfo {
        uri: name.uri(),
        kind: if table.r#type.is_empty() { "TABLE".to_owned() } else { table.r#type.clone() },
        fields: table.schema.as_ref().map(|schema| fields(&schema.fields)).unwrap_or_default(),
        rows: table.num_rows.unwrap_or_default(),
        bytes: table.num_bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
        location: table.location.clone(),
        labels: table.labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        modified: table.last_modified_time,
        is_streamed: table.streaming_buffer.is_some(),
    }
}

pub(super) fn fields(fields: &[model::TableFieldSchema]) -> Vec<Field> {
    fields.iter().map(field).collect()
}

fn field(field: &model::TableFieldSchema) -> Field {
    Field {
        name: field.name.clone(),
        kind: FieldKind::of(&field.r#type),
        mode: match field.mode.to_ascii_uppercase().as_str() {
            "REPEATED" => Mode::Repeated,
            "REQUIRED" => Mode::Required,
            _ => Mode::Nullable,
        },
        fields: fields(&field.fields),
    }
}

pub(super) fn job(asked: &JobName, job: &model::Job) -> JobInfo {
    // The service says where the job is, and who imitates it under which name it keeps it.
    let name = match &job.job_reference {
        Some(reference) if !reference.job_id.is_empty() => JobName {
            project: asked.project.clone(),
            id: reference.job_id.clone(),
            location: reference.location.clone().or_else(|| asked.location.clone()),
        },
        _ => asked.clone(),
    };
    let configuration = job.configuration.as_ref();
    let query = configuration.and_then(|configuration| configuration.query.as_ref());
    let doing = if query.is_some() { "run the query" } else { "load into" };
    let loaded_into = configuration
        .and_then(|configuration| configuration.load.as_ref()?.destination_table.as_ref())
        .map(|table| format!("bq://{}.{}.{}", table.project_id, table.dataset_id, table.table_id));
    let resource = loaded_into.unwrap_or_else(|| name.to_string());
    let status = job.status.as_ref();
    let statistics = job.statistics.as_ref();
    let load = statistics.and_then(|statistics| statistics.load.as_ref());
    JobInfo {
        is_done: status.is_some_and(|status| status.state == "DONE"),
        error: status.and_then(|status| {
            let result = status.error_result.as_ref()?;
            Some(failed(doing, &resource, Some(result), &status.errors))
        }),
        sql: query.map(|query| query.query.clone()),
        load: LoadStatistics {
            rows: load.and_then(|load| u64::try_from(load.output_rows?).ok()),
            bytes: load.and_then(|load| u64::try_from(load.input_file_bytes?).ok()),
            bad_rows: load.and_then(|load| u64::try_from(load.bad_records?).ok()).unwrap_or_default(),
        },
        statistics: sql_statistics(&name, statistics),
        name,
    }
}

fn sql_statistics(name: &JobName, statistics: Option<&model::JobStatistics>) -> SqlStatistics {
    let query = statistics.and_then(|statistics| statistics.query.as_ref());
    let count = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
    SqlStatistics {
        job: name.to_string(),
        statement: query.map(|query| query.statement_type.clone()).unwrap_or_default(),
        rows_affected: count(query.and_then(|query| query.num_dml_affected_rows)),
        bytes_processed: count(
            query
                .and_then(|query| query.total_bytes_processed)
                .or_else(|| statistics.and_then(|statistics| statistics.total_bytes_processed)),
        ),
        bytes_billed: count(query.and_then(|query| query.total_bytes_billed)),
        is_cached: query.and_then(|query| query.cache_hit).unwrap_or_default(),
    }
}
