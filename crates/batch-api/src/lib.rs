//! Vertex AI batch prediction jobs over the REST API.
