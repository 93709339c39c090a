//! Batch prediction input and output on Google Cloud Storage.
