//! The one HTTP stack of the batch clients: endpoints, credentials, retry, the error envelope.
//!
//! * [`Endpoints`] says where each [`Service`] is, [`Credentials`] who we are.
//! * [`HttpClient`] makes a [`Request`], again where that is safe ([`RetryPolicy`]), and returns a
//!   [`Response`] or a [`batch_backend::Error`] that keeps what the service said.
//! * [`ResumableUpload`] sends bytes of unknown length, piece by piece, to a service that forgets.
//! * [`env`](mod@env) lists the environment variables.
//!
//! ```
//! use batch_http::{Credentials, EndpointSettings, Endpoints, HttpClient, HttpConfig, Request, Service};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let address = server.local_addr()?.to_string();
//! # tokio::spawn(async move {
//! #     use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! #     let (mut socket, _) = server.accept().await.unwrap();
//! #     socket.read(&mut [0; 4096]).await.unwrap();
//! #     socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"name\":\"news\"}").await.unwrap();
//! # });
//! // In a program the environment is `batch_http::env::process`.
//! let env = |name: &str| (name == "STORAGE_EMULATOR_HOST").then(|| address.clone());
//! let endpoints = Endpoints::new(&EndpointSettings::default(), &env)?;
//! let credentials = Credentials::for_endpoints(&endpoints, &[Service::Storage], &env).await?;
//! assert!(credentials.is_anonymous(), "an address of this machine needs no login");
//!
//! let client = HttpClient::new(HttpConfig::new(endpoints, credentials))?;
//! let request = Request::get(Service::Storage, ["storage", "v1", "b", "news"]).about("look at", "gs://news");
//! let bucket: serde_json::Value = client.send(&request).await?.json()?;
//! assert_eq!(bucket["name"], "news");
//! # Ok(()) }
//! ```
//!
//! With the feature `google-auth`, logins that `gcp_auth` cannot do work too, and
//! `Credentials::google` lends the login to Google's own clients, whose errors and retries `google`
//! makes ours.

mod chunks;
mod client;
mod clock;
mod credentials;
mod endpoints;
pub mod env;
mod envelope;
#[cfg(feature = "google-auth")]
pub mod google;
mod hint;
mod request;
mod response;
mod retry;
mod secret;
mod tls;
mod upload;

pub use chunks::Chunks;
pub use client::{HttpClient, HttpConfig};
pub use clock::{Clock, Jitter, SystemClock};
pub use credentials::{AccessToken, Credentials};
pub use endpoints::{EndpointSettings, Endpoints, Service};
pub use hint::bucket_grant;
pub use request::Request;
pub use response::{Response, StreamingResponse};
pub use retry::RetryPolicy;
pub use tls::init_tls;
pub use upload::{ResumableUpload, UploadBuffer};
