//! Answers of a server that speaks OpenAI's chat completions.
//!
//! `request` makes a chat completion request of a `GenerateContentRequest`, with `schema`
//! for the form of the answer, and `response` makes a `GenerateContentResponse` of the chat
//! completion. What has no counterpart and changes what is asked, such as a file in Cloud
//! Storage, fails its row with an error that says so; what has none and only shades the
//! answer is left out: `topK`, `safetySettings`, `thinkingBudget`, `mediaResolution`,
//! `labels`.

mod request;
mod response;
mod schema;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::server::{AnswerOptions, Connection, KeyHeader, ModelServer, name};
use super::{Answerer, Question, Reply, RowError};
use crate::Error;

/// Translates to and fro.
#[derive(Debug)]
pub(super) struct OpenAi {
    server: ModelServer,
    connection: Connection,
}

impl OpenAi {
    pub(super) fn open(server: &ModelServer, options: &AnswerOptions) -> Result<OpenAi, Error> {
        let connection = Connection::new(server, options, KeyHeader::Bearer)?;
        Ok(OpenAi { server: server.clone(), connection })
    }

    async fn ask(&self, question: &Question<'_>) -> Result<Vec<u8>, RowError> {
        let model = self.server.model().unwrap_or(question.model);
        let body = request::chat(question.request, model)?;
        let url = self
            .server
            .endpoint(&["chat", "completions"])
            .ok_or_else(|| RowError::invalid("The address of the model server takes no path."))?;
        let reply = self.connection.post(&url, body.to_string().into_bytes(), question.hash as u64).await?;
        response::response(&reply, question.request, model)
            .map_err(|what| RowError { code: 500, message: format!("{} sent no chat completion: {what}", name(&url)) })
    }
}

impl Answerer for OpenAi {
    fn answer<'a>(&'a self, question: &'a Question<'a>) -> BoxFuture<'a, Reply> {
        self.ask(question).map(Reply::from).boxed()
    }

    fn concurrency(&self) -> usize {
        self.connection.concurrency()
    }
}
