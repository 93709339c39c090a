//! Where services are, and which mixtures are refused.

use batch_backend::Kind;
use batch_http::{EndpointSettings, Endpoints, Service};

use crate::server::{told, vertex};

/// Endpoints from settings and an environment of one or no variable.
fn endpoints(settings: &EndpointSettings, variables: &[(&str, &str)]) -> batch_backend::Result<Endpoints> {
    let env = |name: &str| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
    Endpoints::new(settings, &env)
}

fn storage(url: &str) -> EndpointSettings {
    EndpointSettings { storage: Some(url.to_owned()), ..EndpointSettings::default() }
}

#[test]
fn without_settings_the_services_are_googles() {
    let endpoints = endpoints(&EndpointSettings::default(), &[("STORAGE_EMULATOR_HOST", " ")]).unwrap();
    assert_eq!(endpoints, Endpoints::default());
    assert_eq!(endpoints.base_url(&Service::Storage), "https://storage.googleapis.com");
    assert_eq!(endpoints.base_url(&Service::BigQuery), "https://bigquery.googleapis.com");
    assert_eq!(endpoints.base_url(&vertex()), "https://us-central1-aiplatform.googleapis.com");
    let location = |name: &str| endpoints.base_url(&Service::Vertex(name.parse().unwrap()));
    assert_eq!(location("global"), "https://aiplatform.googleapis.com");
    assert_eq!(location("eu"), "https://aiplatform.eu.rep.googleapis.com");
}

#[test]
fn a_setting_wins_over_a_variable() {
    let variables = [("STORAGE_EMULATOR_HOST", "localhost:1"), ("GOOGLE_VERTEX_BASE_URL", "http://localhost:2/")];
    let endpoints = endpoints(&storage("http://localhost:3/prefix/"), &variables).unwrap();
    assert_eq!(endpoints.base_url(&Service::Storage), "http://localhost:3/prefix");
    assert_eq!(endpoints.base_url(&vertex()), "http://localhost:2");
    assert_eq!(endpoints.base_url(&Service::BigQuery), "https://bigquery.googleapis.com");
}

#[test]
fn every_spelling_of_an_emulators_address() {
    let base = |text: &str| {
        let endpoints = endpoints(&EndpointSettings::default(), &[("STORAGE_EMULATOR_HOST", text)]).unwrap();
        (endpoints.base_url(&Service::Storage), endpoints.local(&[Service::Storage]).unwrap())
    };
    let local = |url: &str| (url.to_owned(), true);
    assert_eq!(base("localhost:9023"), local("http://localhost:9023"));
    assert_eq!(base("127.0.0.1:9023"), local("http://127.0.0.1:9023"));
    assert_eq!(base("127.9.9.9:9023"), local("http://127.9.9.9:9023"));
    assert_eq!(base("[::1]:9023"), local("http://[::1]:9023"));
    assert_eq!(base("0.0.0.0:4443"), local("http://0.0.0.0:4443"));
    assert_eq!(base("HTTPS://gcs.localhost/"), local("https://gcs.localhost"));
    assert_eq!(base("[::ffff:127.0.0.1]:1"), local("http://[::ffff:7f00:1]:1"));
    assert_eq!(base("emulator:9023"), ("http://emulator:9023".to_owned(), false));
    assert_eq!(base("https://127.0.0.1.example.com"), ("https://127.0.0.1.example.com".to_owned(), false));
}

#[test]
fn what_is_no_address_is_said_with_its_name_and_without_its_password() {
    let said = |text: &str| told(&endpoints(&storage(text), &[]).unwrap_err());
    let texts = [
        "ftp://localhost",
        "http://",
        "http://ann:hunter2@localhost:1",
        "localhost:1?x=y",
        "local host",
        "localhost:99999",
    ];
    let all = texts.map(said).join("\n");
    assert!(!all.contains("hunter2"));
    insta::assert_snapshot!(all, @r#"
    use endpoints.storage "ftp://localhost": invalid argument
      because the scheme ftp is neither http nor https
      hint: write HOST:PORT or http://HOST:PORT, with or without a path
    use endpoints.storage "http://": invalid argument
      because empty host
      hint: write HOST:PORT or http://HOST:PORT, with or without a path
    use endpoints.storage: invalid argument
      because it has a user or a password in it; log in by credentials instead
      hint: write HOST:PORT or http://HOST:PORT, with or without a path
    use endpoints.storage "localhost:1?x=y": invalid argument
      because it has a query or a fragment
      hint: write HOST:PORT or http://HOST:PORT, with or without a path
    use endpoints.storage "local host": invalid argument
      because invalid international domain name
      hint: write HOST:PORT or http://HOST:PORT, with or without a path
    use endpoints.storage "localhost:99999": invalid argument
      because invalid port number
      hint: write HOST:PORT or http://HOST:PORT, with or without a path
    "#);
    let error = endpoints(&EndpointSettings::default(), &[("GOOGLE_VERTEX_BASE_URL", "ws://x")]).unwrap_err();
    assert_eq!(error.to_string(), "use GOOGLE_VERTEX_BASE_URL \"ws://x\": invalid argument");
}

#[test]
fn some_here_and_some_there_is_an_error_that_names_each() {
    let mixed = endpoints(&EndpointSettings::default(), &[("STORAGE_EMULATOR_HOST", "localhost:9023")]).unwrap();
    let error = mixed.local(&[Service::Storage, vertex()]).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidArgument);
    insta::assert_snapshot!(told(&error), @r"
    use an emulator and the real services together: invalid argument
      because Cloud Storage is http://localhost:9023 (STORAGE_EMULATOR_HOST); Vertex AI in us-central1 is https://us-central1-aiplatform.googleapis.com (the default)
      hint: set endpoints.vertex (or GOOGLE_VERTEX_BASE_URL) to the emulator's address as well, or unset the others
    ");
    let remote = storage("https://storage.example.com");
    let mixed = endpoints(&remote, &[("GOOGLE_VERTEX_BASE_URL", "http://localhost:9023")]).unwrap();
    insta::assert_snapshot!(told(&mixed.local(&[Service::Storage, vertex()]).unwrap_err()), @r"
    use an emulator and the real services together: invalid argument
      because Vertex AI in us-central1 is http://localhost:9023 (GOOGLE_VERTEX_BASE_URL); Cloud Storage is https://storage.example.com (endpoints.storage)
      hint: set endpoints.storage (or STORAGE_EMULATOR_HOST) to the emulator's address as well, or unset the others
    ");
}

#[test]
fn a_service_that_is_not_needed_may_be_anywhere() {
    let mixed = endpoints(&storage("localhost:1"), &[]).unwrap();
    assert!(mixed.local(&[Service::Storage]).unwrap());
    assert!(!mixed.local(&[vertex(), Service::BigQuery]).unwrap());
    assert!(!mixed.local(&[]).unwrap());
    assert!(
        Endpoints::all_at("http://127.0.0.1:1")
            .unwrap()
            .local(&[Service::Storage, Service::BigQuery, vertex()])
            .unwrap()
    );
}
