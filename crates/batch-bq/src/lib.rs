//! Input and output of batch prediction jobs on BigQuery.
